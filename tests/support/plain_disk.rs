//! A disk that knows no files without names, as many on a network do not: the kernel says so to whoever asks
//! for one, and to the programs that it starts. Nothing else is different.

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

/// The calls that open files, and where their flags stand among the arguments.
const OPENING: &[(i64, u8)] = &[
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, 1),
    (libc::SYS_openat, 2),
];

/// Does it on such a disk. On a thread of its own, because a filter of system calls is never taken back.
pub fn under<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let filtered = scope.spawn(|| {
            seccompiler::apply_filter(&filter()).expect("the kernel filters system calls");
            work()
        });
        filtered.join().expect("starting a program does not panic")
    })
}

fn filter() -> BpfProgram {
    let unnamed = u64::try_from(libc::O_TMPFILE).expect("flags are not negative");
    let asked = |flags: u8| {
        let (length, all) = (SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(unnamed));
        let condition = SeccompCondition::new(flags, length, all, unnamed).expect("a condition");
        SeccompRule::new(vec![condition]).expect("a rule")
    };
    let filter = SeccompFilter::new(
        OPENING.iter().map(|(call, flags)| (*call, vec![asked(*flags)])).collect(),
        SeccompAction::Allow,
        SeccompAction::Errno(u32::try_from(libc::EOPNOTSUPP).expect("errors are not negative")),
        TargetArch::try_from(std::env::consts::ARCH).expect("a processor with filters"),
    );
    filter.and_then(BpfProgram::try_from).expect("a filter")
}
