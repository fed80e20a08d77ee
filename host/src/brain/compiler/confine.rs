//! What the process that compiles may take and reach. It is set before a byte of a component is read
//! and cannot be taken back. The limits of memory and time hold on every kernel; files and system calls
//! are closed where the kernel knows how, and the gateway is told where it does not.

use std::collections::BTreeMap;
use std::io;

use landlock::{ABI, Access as _, AccessFs, AccessNet, Ruleset, RulesetAttr as _, RulesetStatus};
use rustix::process::{Resource, Rlimit, nice, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};

use super::wire::Confined;

/// Standard input, output and error, and what the engine keeps memory images in.
const OPEN_FILES: u64 = 64;

/// Memory images count as files. None is larger than a component.
const FILE_BYTES: u64 = 2 * crate::brain::preflight::COMPONENT_BYTES as u64;

/// After the word that the time is up, so long until the process is ended without one.
const LAST_SECONDS: u64 = 2;

/// What one compilation may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub memory_bytes: u64,
    /// Of a core's time.
    pub cpu_seconds: u64,
}

/// Who compiles beside a busy gateway gets a tenth of a core: it is not noticed, and comes to an end.
const NICE: i32 = 10;

/// Confines this process for good. To be called while it has one thread.
pub fn confine(bounds: Bounds) -> io::Result<Confined> {
    // Who runs out of memory beside us is not who should end. Where this cannot be said, it is not.
    std::fs::write("/proc/self/oom_score_adj", "1000").ok();
    let limit = |resource, soft: u64, hard: u64| {
        setrlimit(resource, Rlimit { current: Some(soft), maximum: Some(hard) })
    };
    // What can be written to; address space that is only reserved costs nobody anything.
    limit(Resource::Data, bounds.memory_bytes, bounds.memory_bytes)?;
    limit(Resource::Cpu, bounds.cpu_seconds, bounds.cpu_seconds + LAST_SECONDS)?;
    limit(Resource::Nofile, OPEN_FILES, OPEN_FILES)?;
    limit(Resource::Fsize, FILE_BYTES, FILE_BYTES)?;
    limit(Resource::Core, 0, 0)?;
    nice(NICE)?;
    Ok(Confined { files: close_files(), calls: close_calls().is_ok() })
}

/// No file, and no port where the kernel can close those. With this a process and its children also
/// lose the right to become another user by running a program.
fn close_files() -> bool {
    let newest = ABI::V5;
    let closed = Ruleset::default()
        .handle_access(AccessFs::from_all(newest))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(newest)))
        .and_then(|rules| rules.create())
        .and_then(|rules| rules.restrict_self());
    closed.is_ok_and(|status| status.ruleset != RulesetStatus::NotEnforced)
}

/// The calls that compiling, and running a guest on threads of our own, take. What is missing here is
/// refused, not fatal: an allocator or a runtime that would like more does without.
const CALLS: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    // Without arguments that can be looked at; see below.
    libc::SYS_clone3,
    libc::SYS_close,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_ftruncate,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_gettid,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_memfd_create,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_read,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_seccomp,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_sigaltstack,
    libc::SYS_write,
    libc::SYS_writev,
];

fn arch() -> Option<TargetArch> {
    match () {
        () if cfg!(target_arch = "x86_64") => Some(TargetArch::x86_64),
        () if cfg!(target_arch = "aarch64") => Some(TargetArch::aarch64),
        () if cfg!(target_arch = "riscv64") => Some(TargetArch::riscv64),
        () => None,
    }
}

fn close_calls() -> Result<(), Box<dyn std::error::Error>> {
    let arch = arch().ok_or("no filter of system calls for this processor")?;
    // Threads are started with `clone`, whose flags can be read, once `clone3` says that it is not there.
    let no_clone3 = SeccompFilter::new(
        BTreeMap::from([(libc::SYS_clone3, Vec::new())]),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::ENOSYS as u32),
        arch,
    )?;
    let one = |argument, operator, value| {
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Qword, operator, value)?;
        SeccompRule::new(vec![condition])
    };
    let thread = libc::CLONE_THREAD as u64;
    let own = u64::from(std::process::id());
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = CALLS.iter().map(|call| (*call, Vec::new())).collect();
    rules.insert(libc::SYS_clone, vec![one(0, SeccompCmpOp::MaskedEq(thread), thread)?]);
    // To end oneself, and nobody else.
    rules.insert(libc::SYS_tgkill, vec![one(0, SeccompCmpOp::Eq, own)?]);
    // Limits can be read; a new one is never handed over.
    rules.insert(libc::SYS_prlimit64, vec![one(2, SeccompCmpOp::Eq, 0)?]);
    let only =
        SeccompFilter::new(rules, SeccompAction::Errno(libc::EPERM as u32), SeccompAction::Allow, arch)?;
    for filter in [no_clone3, only] {
        let program: BpfProgram = filter.try_into()?;
        apply_filter(&program)?;
    }
    Ok(())
}
