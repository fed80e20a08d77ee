//! A clock that tests set: a library that the gateway is started with answers when it asks for the time of
//! day, so much ahead of the machine's. Its steady clock goes on as ever, as when an operator or NTP sets
//! the clock of a machine.

use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = r#"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int file = -1;
    int answer = syscall(SYS_clock_gettime, clock, now);
    if (answer != 0 || clock != CLOCK_REALTIME) return answer;
    if (file < 0) file = open(getenv("TEST_CLOCK_AHEAD"), O_RDONLY);
    char text[32] = {0};
    if (pread(file, text, sizeof text - 1, 0) > 0) now->tv_sec += atol(text);
    return 0;
}
"#;

#[derive(Debug)]
pub struct Clock {
    library: PathBuf,
    ahead: PathBuf,
}

impl Clock {
    /// Compiles the library into this directory.
    ///
    /// # Panics
    /// Without a C compiler, which the gateway itself needs to be built.
    pub fn make(directory: &Path) -> Self {
        let (source, library) = (directory.join("clock.c"), directory.join("clock.so"));
        std::fs::write(&source, SOURCE).expect("written");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, &source]);
        let compiled = compiler.output().expect("a C compiler");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let clock = Clock { library, ahead: directory.join("ahead") };
        clock.set_ahead(0);
        clock
    }

    /// In seconds; below 0 it is behind.
    pub fn set_ahead(&self, seconds: i64) {
        use std::os::unix::fs::FileExt as _;
        let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&self.ahead);
        // In place and always as long: the gateway has it open, and never reads half of it.
        file.expect("opened").write_all_at(format!("{seconds:+020}").as_bytes(), 0).expect("written");
    }

    pub fn environment(&self) -> [(&'static str, &Path); 2] {
        [("LD_PRELOAD", &self.library), ("TEST_CLOCK_AHEAD", &self.ahead)]
    }
}
