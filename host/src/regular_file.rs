//! Files that somebody else put there: tenants' packages, declared data, keys, backups. Only what is a
//! regular file is opened, because a pipe or a device keeps its reader waiting, or never ends; and no
//! more is read than the reader wants, whatever the directory says of the size.

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

/// The whole file, if it has this many bytes at most.
pub fn read(path: &Path, at_most: usize) -> io::Result<Vec<u8>> {
    whole(open(path)?, at_most)
}

/// The same for text.
pub fn read_text(path: &Path, at_most: usize) -> io::Result<String> {
    let bytes = read(path, at_most)?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to() + 1;
        io::Error::new(io::ErrorKind::InvalidData, format!("byte {at} is not UTF-8"))
    })
}

/// The whole file, if it lies in `root` or below: a link that leads out of it is not followed.
pub fn read_below(root: &Path, path: &Path, at_most: usize) -> io::Result<Vec<u8>> {
    let (root, real) = (root.canonicalize()?, path.canonicalize()?);
    if !real.starts_with(&root) {
        return Err(refused(format!(
            "a link that leads out of {}; put the file itself there",
            root.display()
        )));
    }
    // What became a link since then is not followed either.
    whole(open_with(&real, libc::O_NOFOLLOW)?, at_most)
}

/// Opens the file for reading.
pub fn open(path: &Path) -> io::Result<File> {
    open_with(path, 0)
}

/// Is it a regular file? Looks without opening it, which some devices take for an order.
pub fn check(path: &Path) -> io::Result<()> {
    examine(&std::fs::metadata(path)?)
}

fn open_with(path: &Path, flags: i32) -> io::Result<File> {
    check(path)?;
    // A pipe that took its place meanwhile does not hold us up.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | flags).open(path)?;
    examine(&file.metadata()?)?;
    Ok(file)
}

fn examine(metadata: &Metadata) -> io::Result<()> {
    let kind = metadata.file_type();
    if kind.is_file() { Ok(()) } else { Err(refused(format!("{}, not a regular file", name_of(kind)))) }
}

fn name_of(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a FIFO",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_char_device() || kind.is_block_device() => "a device",
        _ => "something else",
    }
}

fn whole(file: File, at_most: usize) -> io::Result<Vec<u8>> {
    let size = file.metadata()?.len();
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(at_most).min(at_most));
    file.take((at_most as u64).saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > at_most {
        let used = size.max(bytes.len() as u64);
        return Err(refused(format!("too large: limit {at_most} bytes, used {used}")));
    }
    Ok(bytes)
}

fn refused(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn fifo(path: &Path) {
        let made = std::process::Command::new("mkfifo").arg(path).status().expect("mkfifo is there");
        assert!(made.success(), "{}", path.display());
    }

    #[test]
    fn only_regular_files_are_opened_and_the_rest_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("file"), "text").expect("written");
        fifo(&path("fifo"));
        symlink(path("fifo"), path("link-to-fifo")).expect("a link");
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).expect("a socket");
        assert_eq!(read(&path("file"), 4).expect("it reads"), b"text");
        for (name, said) in [
            ("fifo", "a FIFO"),
            ("link-to-fifo", "a FIFO"),
            ("socket", "a socket"),
            (".", "a directory"),
            ("/dev/zero", "a device"),
            ("/dev/null", "a device"),
        ] {
            let error = read(&path(name), 100).expect_err(name).to_string();
            assert_eq!(error, format!("{said}, not a regular file"), "{name}");
        }
        assert_eq!(read(&path("none"), 1).expect_err("none").kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn no_more_is_read_than_is_wanted() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("large");
        File::create(&path).and_then(|file| file.set_len(1 << 40)).expect("a file with a hole");
        let error = read(&path, 10).expect_err("too large").to_string();
        assert_eq!(error, format!("too large: limit 10 bytes, used {}", 1_u64 << 40));
        // What the directory says of its size is nothing.
        let error = read(Path::new("/proc/self/maps"), 10).expect_err("too large").to_string();
        assert!(error.starts_with("too large: limit 10 bytes"), "{error}");
        std::fs::write(&path, b"\xff").expect("written");
        assert_eq!(read_text(&path, 10).expect_err("no text").to_string(), "byte 1 is not UTF-8");
    }

    #[test]
    fn a_link_may_lead_about_inside_and_not_out() {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().join("plugins");
        std::fs::create_dir_all(root.join("echo/..data")).expect("directories");
        std::fs::write(root.join("echo/..data/inside"), "inside").expect("written");
        std::fs::write(dir.path().join("secret"), "secret").expect("written");
        symlink("..data/inside", root.join("echo/good")).expect("a link");
        symlink("../../secret", root.join("echo/out")).expect("a link");
        symlink("/etc/hostname", root.join("echo/far")).expect("a link");
        symlink("../..", root.join("echo/up")).expect("a link");
        symlink("loop", root.join("echo/loop")).expect("a link");
        assert_eq!(read_below(&root, &root.join("echo/good"), 10).expect("it reads"), b"inside");
        for name in ["echo/out", "echo/far", "echo/up/secret", "../secret"] {
            let error = read_below(&root, &root.join(name), 10).expect_err(name).to_string();
            assert!(error.starts_with("a link that leads out of "), "{name}: {error}");
        }
        assert!(read_below(&root, &root.join("echo/loop"), 10).is_err());
    }
}
