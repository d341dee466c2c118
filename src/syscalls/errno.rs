//! The errors that system calls give: numbers, names, and what they mean.
//!
//! Pure data. x86_64 and aarch64 have the same numbers, those of the generic headers.

/// One error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errno {
    /// Its number; a call returns the negative of it.
    pub number: u16,
    /// Its name, as in errno(3).
    pub name: &'static str,
    /// The text that strerror(3) has for it.
    pub message: &'static str,
}

impl Errno {
    /// The error with that number.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        let index = ERRORS.binary_search_by_key(&number, |(candidate, _, _)| *candidate).ok()?;
        Some(Self::at(index))
    }

    /// The error of that name. `EWOULDBLOCK`, `EDEADLOCK` and `ENOTSUP` are other names of errors that are here.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let name = match name {
            "EWOULDBLOCK" => "EAGAIN",
            "EDEADLOCK" => "EDEADLK",
            "ENOTSUP" => "EOPNOTSUPP",
            name => name,
        };
        ERRORS.iter().position(|(_, candidate, _)| *candidate == name).map(Self::at)
    }

    /// The error that a call's result stands for: results from -4095 to -1 are errors (syscall(2)).
    ///
    /// `None` if it is none, or one that has no name.
    #[must_use]
    pub fn from_result(result: i64) -> Option<Self> {
        Self::from_number(error_number(result)?)
    }

    /// Whether it is one of the kernel's own, by which it says to itself that the call is to be restarted; a process never sees
    /// those.
    #[must_use]
    pub const fn is_restart(self) -> bool {
        self.number >= 512
    }

    fn at(index: usize) -> Self {
        let (number, name, message) = ERRORS[index];
        Self { number, name, message }
    }
}

/// The number of the error that a result stands for, whether or not it has a name.
#[must_use]
pub fn error_number(result: i64) -> Option<u16> {
    u16::try_from(result.checked_neg()?).ok().filter(|number| (1..=4095).contains(number))
}

/// In the order of numbers.
///
/// Source: `asm-generic/errno-base.h`, `asm-generic/errno.h`; from 512 on `include/linux/errno.h`, which is not for programs.
const ERRORS: &[(u16, &str, &str)] = &[
    (1, "EPERM", "Operation not permitted"),
    (2, "ENOENT", "No such file or directory"),
    (3, "ESRCH", "No such process"),
    (4, "EINTR", "Interrupted system call"),
    (5, "EIO", "Input/output error"),
    (6, "ENXIO", "No such device or address"),
    (7, "E2BIG", "Argument list too long"),
    (8, "ENOEXEC", "Exec format error"),
    (9, "EBADF", "Bad file descriptor"),
    (10, "ECHILD", "No child processes"),
    (11, "EAGAIN", "Resource temporarily unavailable"),
    (12, "ENOMEM", "Cannot allocate memory"),
    (13, "EACCES", "Permission denied"),
    (14, "EFAULT", "Bad address"),
    (15, "ENOTBLK", "Block device required"),
    (16, "EBUSY", "Device or resource busy"),
    (17, "EEXIST", "File exists"),
    (18, "EXDEV", "Invalid cross-device link"),
    (19, "ENODEV", "No such device"),
    (20, "ENOTDIR", "Not a directory"),
    (21, "EISDIR", "Is a directory"),
    (22, "EINVAL", "Invalid argument"),
    (23, "ENFILE", "Too many open files in system"),
    (24, "EMFILE", "Too many open files"),
    (25, "ENOTTY", "Inappropriate ioctl for device"),
    (26, "ETXTBSY", "Text file busy"),
    (27, "EFBIG", "File too large"),
    (28, "ENOSPC", "No space left on device"),
    (29, "ESPIPE", "Illegal seek"),
    (30, "EROFS", "Read-only file system"),
    (31, "EMLINK", "Too many links"),
    (32, "EPIPE", "Broken pipe"),
    (33, "EDOM", "Numerical argument out of domain"),
    (34, "ERANGE", "Numerical result out of range"),
    (35, "EDEADLK", "Resource deadlock avoided"),
    (36, "ENAMETOOLONG", "File name too long"),
    (37, "ENOLCK", "No locks available"),
    (38, "ENOSYS", "Function not implemented"),
    (39, "ENOTEMPTY", "Directory not empty"),
    (40, "ELOOP", "Too many levels of symbolic links"),
    (42, "ENOMSG", "No message of desired type"),
    (43, "EIDRM", "Identifier removed"),
    (44, "ECHRNG", "Channel number out of range"),
    (45, "EL2NSYNC", "Level 2 not synchronized"),
    (46, "EL3HLT", "Level 3 halted"),
    (47, "EL3RST", "Level 3 reset"),
    (48, "ELNRNG", "Link number out of range"),
    (49, "EUNATCH", "Protocol driver not attached"),
    (50, "ENOCSI", "No CSI structure available"),
    (51, "EL2HLT", "Level 2 halted"),
    (52, "EBADE", "Invalid exchange"),
    (53, "EBADR", "Invalid request descriptor"),
    (54, "EXFULL", "Exchange full"),
    (55, "ENOANO", "No anode"),
    (56, "EBADRQC", "Invalid request code"),
    (57, "EBADSLT", "Invalid slot"),
    (59, "EBFONT", "Bad font file format"),
    (60, "ENOSTR", "Device not a stream"),
    (61, "ENODATA", "No data available"),
    (62, "ETIME", "Timer expired"),
    (63, "ENOSR", "Out of streams resources"),
    (64, "ENONET", "Machine is not on the network"),
    (65, "ENOPKG", "Package not installed"),
    (66, "EREMOTE", "Object is remote"),
    (67, "ENOLINK", "Link has been severed"),
    (68, "EADV", "Advertise error"),
    (69, "ESRMNT", "Srmount error"),
    (70, "ECOMM", "Communication error on send"),
    (71, "EPROTO", "Protocol error"),
    (72, "EMULTIHOP", "Multihop attempted"),
    (73, "EDOTDOT", "RFS specific error"),
    (74, "EBADMSG", "Bad message"),
    (75, "EOVERFLOW", "Value too large for defined data type"),
    (76, "ENOTUNIQ", "Name not unique on network"),
    (77, "EBADFD", "File descriptor in bad state"),
    (78, "EREMCHG", "Remote address changed"),
    (79, "ELIBACC", "Can not access a needed shared library"),
    (80, "ELIBBAD", "Accessing a corrupted shared library"),
    (81, "ELIBSCN", ".lib section in a.out corrupted"),
    (82, "ELIBMAX", "Attempting to link in too many shared libraries"),
    (83, "ELIBEXEC", "Cannot exec a shared library directly"),
    (84, "EILSEQ", "Invalid or incomplete multibyte or wide character"),
    (85, "ERESTART", "Interrupted system call should be restarted"),
    (86, "ESTRPIPE", "Streams pipe error"),
    (87, "EUSERS", "Too many users"),
    (88, "ENOTSOCK", "Socket operation on non-socket"),
    (89, "EDESTADDRREQ", "Destination address required"),
    (90, "EMSGSIZE", "Message too long"),
    (91, "EPROTOTYPE", "Protocol wrong type for socket"),
    (92, "ENOPROTOOPT", "Protocol not available"),
    (93, "EPROTONOSUPPORT", "Protocol not supported"),
    (94, "ESOCKTNOSUPPORT", "Socket type not supported"),
    (95, "EOPNOTSUPP", "Operation not supported"),
    (96, "EPFNOSUPPORT", "Protocol family not supported"),
    (97, "EAFNOSUPPORT", "Address family not supported by protocol"),
    (98, "EADDRINUSE", "Address already in use"),
    (99, "EADDRNOTAVAIL", "Cannot assign requested address"),
    (100, "ENETDOWN", "Network is down"),
    (101, "ENETUNREACH", "Network is unreachable"),
    (102, "ENETRESET", "Network dropped connection on reset"),
    (103, "ECONNABORTED", "Software caused connection abort"),
    (104, "ECONNRESET", "Connection reset by peer"),
    (105, "ENOBUFS", "No buffer space available"),
    (106, "EISCONN", "Transport endpoint is already connected"),
    (107, "ENOTCONN", "Transport endpoint is not connected"),
    (108, "ESHUTDOWN", "Cannot send after transport endpoint shutdown"),
    (109, "ETOOMANYREFS", "Too many references: cannot splice"),
    (110, "ETIMEDOUT", "Connection timed out"),
    (111, "ECONNREFUSED", "Connection refused"),
    (112, "EHOSTDOWN", "Host is down"),
    (113, "EHOSTUNREACH", "No route to host"),
    (114, "EALREADY", "Operation already in progress"),
    (115, "EINPROGRESS", "Operation now in progress"),
    (116, "ESTALE", "Stale file handle"),
    (117, "EUCLEAN", "Structure needs cleaning"),
    (118, "ENOTNAM", "Not a XENIX named type file"),
    (119, "ENAVAIL", "No XENIX semaphores available"),
    (120, "EISNAM", "Is a named type file"),
    (121, "EREMOTEIO", "Remote I/O error"),
    (122, "EDQUOT", "Disk quota exceeded"),
    (123, "ENOMEDIUM", "No medium found"),
    (124, "EMEDIUMTYPE", "Wrong medium type"),
    (125, "ECANCELED", "Operation canceled"),
    (126, "ENOKEY", "Required key not available"),
    (127, "EKEYEXPIRED", "Key has expired"),
    (128, "EKEYREVOKED", "Key has been revoked"),
    (129, "EKEYREJECTED", "Key was rejected by service"),
    (130, "EOWNERDEAD", "Owner died"),
    (131, "ENOTRECOVERABLE", "State not recoverable"),
    (132, "ERFKILL", "Operation not possible due to RF-kill"),
    (133, "EHWPOISON", "Memory page has hardware error"),
    (512, "ERESTARTSYS", "restarted if the signal's handler allows it"),
    (513, "ERESTARTNOINTR", "restarted"),
    (514, "ERESTARTNOHAND", "restarted if the signal has no handler"),
    (516, "ERESTART_RESTARTBLOCK", "restarted by restart_syscall"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_in_the_order_of_numbers_and_found_by_number_and_name() {
        assert!(ERRORS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (number, name, _) in ERRORS {
            assert_eq!(Errno::from_number(*number).map(|error| error.name), Some(*name));
            assert_eq!(Errno::from_name(name).map(|error| error.number), Some(*number));
        }
        assert_eq!(Errno::from_number(0), None);
        assert_eq!(Errno::from_name("ENOTHING"), None);
    }

    #[test]
    fn names_agree_with_libc() {
        for (name, number) in [
            ("EPERM", libc::EPERM),
            ("ENOENT", libc::ENOENT),
            ("EWOULDBLOCK", libc::EWOULDBLOCK),
            ("EDEADLOCK", libc::EDEADLOCK),
            ("ENOSYS", libc::ENOSYS),
            ("ENOTSUP", libc::ENOTSUP),
            ("ECONNREFUSED", libc::ECONNREFUSED),
            ("EHWPOISON", libc::EHWPOISON),
        ] {
            assert_eq!(Errno::from_name(name).map(|error| i32::from(error.number)), Some(number), "{name}");
        }
    }

    #[cfg(target_env = "gnu")]
    #[test]
    fn messages_are_those_of_the_c_library() {
        for number in 1..=133 {
            let message = std::io::Error::from_raw_os_error(number).to_string();
            let message = message.strip_suffix(&format!(" (os error {number})")).unwrap().to_owned();
            match Errno::from_number(u16::try_from(number).unwrap()) {
                Some(error) => assert_eq!(error.message, message),
                None => assert_eq!(message, format!("Unknown error {number}")),
            }
        }
    }

    #[test]
    fn results_from_minus_4095_to_minus_1_are_errors() {
        assert_eq!(Errno::from_result(-2).map(|error| error.name), Some("ENOENT"));
        assert_eq!(Errno::from_result(-512).map(Errno::is_restart), Some(true));
        assert_eq!((error_number(-4095), error_number(-4096)), (Some(4095), None));
        assert_eq!((error_number(0), error_number(3), error_number(i64::MIN)), (None, None, None));
        assert_eq!(Errno::from_result(-4095), None);
    }
}
