internal import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The calls on files that take pointers or have names that ours would hide.
enum SystemFile {
    /// Opens for reading and appending, making the file if needed; below 0 with `errno` if that fails.
    static func openForAppending(_ path: String) -> Int32 {
        unsafe open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    }

    /// Opens for reading; below 0 with `errno` if that fails.
    static func openForReading(_ path: String) -> Int32 { unsafe open(path, O_RDONLY | O_CLOEXEC) }

    /// Whether a file is there and may be read.
    static func isReadable(_ path: String) -> Bool { unsafe access(path, R_OK) == 0 }

    /// Writes once; how many bytes were taken, below 0 with `errno` on an error.
    static func writeSome(_ descriptor: Int32, _ bytes: RawSpan) -> Int {
        unsafe bytes.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
    }

    /// Reads up to `count` bytes at `offset` into `chunk`; how many came, below 0 with `errno` on an error.
    static func readSome(_ descriptor: Int32, _ chunk: inout [UInt8], count: Int, at offset: Int) -> Int {
        let wanted = min(count, chunk.count)
        return unsafe chunk.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress, wanted, off_t(offset)) }
    }
}
