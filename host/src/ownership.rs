//! Files that one user makes for another: an operator restores as root what the gateway's own user is to
//! open.

use std::io;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;

/// Gives `path` to whoever owns `directory`, where that is somebody else.
pub fn as_in(directory: &Path, path: &Path) -> io::Result<()> {
    let (wanted, has) = (directory.metadata()?, path.symlink_metadata()?);
    if (wanted.uid(), wanted.gid()) == (has.uid(), has.gid()) {
        return Ok(());
    }
    match chown(path, Some(wanted.uid()), Some(wanted.gid())) {
        // It is the user who has to be able to open it; a group that is not ours to give stays as it is.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && wanted.uid() == has.uid() => Ok(()),
        done => done,
    }
}

/// What to do about a path that this user may not use. `None` where the owner is not what is in the way.
pub fn advice(path: &Path) -> Option<String> {
    // What cannot be looked at lies below what can.
    let (there, metadata) = path.ancestors().find_map(|path| Some((path, path.metadata().ok()?)))?;
    let (owner, own) = (metadata.uid(), rustix::process::geteuid().as_raw());
    (owner != own).then(|| {
        format!(
            "{} belongs to user {owner}, and this is user {own}: run it as that user (`sudo -u '#{owner}' \
             switchboard ...`), or give the files to this one",
            there.display()
        )
    })
}

/// Makes a directory and those above it that are missing, for whoever owns the one that they begin in.
pub fn make_directory(directory: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let Some(above) = directory.parent().filter(|_| !directory.is_dir()) else { return Ok(()) };
    let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
    make_directory(above, mode)?;
    match std::fs::DirBuilder::new().mode(mode).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    as_in(above, directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_belongs_to_whoever_owns_the_directory() {
        let root = tempfile::tempdir().expect("a directory");
        // Only root may give files away; for another user there is nothing to give.
        let (uid, gid) = match rustix::process::geteuid().is_root() {
            true => (4242, 4243),
            false => (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()),
        };
        chown(root.path(), Some(uid), Some(gid)).expect("root, or its own");
        let deep = root.path().join("a/b");
        make_directory(&deep, 0o700).expect("made");
        std::fs::write(deep.join("file"), "text").expect("written");
        as_in(&deep, &deep.join("file")).expect("given");
        for path in ["a", "a/b", "a/b/file"] {
            let metadata = root.path().join(path).metadata().expect("it is there");
            assert_eq!((metadata.uid(), metadata.gid()), (uid, gid), "{path}");
        }
        assert_eq!(advice(&deep.join("file")).is_some(), rustix::process::geteuid().is_root());
    }
}
