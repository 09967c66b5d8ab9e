internal import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Why a file of spans can't be written.
public struct SpanFileError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The call that failed.
    public let operation: String
    /// The file.
    public let path: String
    /// The system's number of the error.
    public let errno: Int32

    /// One sentence with the file and the system's words.
    public var description: String {
        let words = unsafe strerror(errno).map { unsafe String(cString: $0) } ?? "error \(errno)"
        return "\(operation) failed for \(path): \(words)"
    }
}

/// A file that grows by whole lines up to a size and is then renamed to make room for the next.
///
/// `spans.jsonl` is the newest, `spans.jsonl.1` the one before; the oldest is removed.
struct RotatingFile: ~Copyable {
    let path: String
    let limit: Int
    let files: Int
    private var descriptor: Int32
    private var size: Int

    /// Opens the file for appending; a line that was cut by a crash is removed.
    init(path: String, limit: Int, files: Int) throws(SpanFileError) {
        self.path = path
        self.limit = max(limit, 1)
        self.files = max(files, 1)
        (descriptor, size) = try RotatingFile.open(path)
    }

    deinit { if descriptor >= 0 { _ = close(descriptor) } }

    /// Appends lines, in a new file if they don't fit into this one.
    ///
    /// - Throws: ``SpanFileError``; nothing of the lines is left in the file then, if the system allows it.
    mutating func write(_ lines: RawSpan) throws(SpanFileError) {
        if descriptor < 0 { (descriptor, size) = try RotatingFile.open(path) }
        if size > 0 && size + lines.byteCount > limit { try rotate() }
        var done = 0
        while done < lines.byteCount {
            let count = SystemFile.writeSome(descriptor, lines.dropping(done))
            if count < 0 {
                if errno == EINTR { continue }
                let error = failure("write")
                // Half a line would make the next one unreadable.
                _ = ftruncate(descriptor, off_t(size))
                throw error
            }
            done += count
        }
        size += lines.byteCount
    }

    private mutating func rotate() throws(SpanFileError) {
        _ = close(descriptor)
        descriptor = -1
        if files == 1 {
            guard unsafe unlink(path) == 0 || errno == ENOENT else { throw failure("unlink") }
        } else {
            for number in stride(from: files - 2, through: 0, by: -1) {
                let from = number == 0 ? path : "\(path).\(number)"
                guard unsafe rename(from, "\(path).\(number + 1)") == 0 || errno == ENOENT else {
                    throw failure("rename")
                }
            }
        }
        (descriptor, size) = try RotatingFile.open(path)
    }

    private static func open(_ path: String) throws(SpanFileError) -> (Int32, Int) {
        let descriptor = SystemFile.openForAppending(path)
        guard descriptor >= 0 else { throw SpanFileError(operation: "open", path: path, errno: errno) }
        let end = Int(lseek(descriptor, 0, SEEK_END))
        let size = endOfLastLine(descriptor, end)
        if size < end { _ = ftruncate(descriptor, off_t(size)) }
        return (descriptor, size)
    }

    /// The position after the last line feed; the end itself where the file can't be read (a pipe, a device).
    private static func endOfLastLine(_ descriptor: Int32, _ end: Int) -> Int {
        guard end > 0 else { return 0 }
        var chunk = [UInt8](repeating: 0, count: 65536)
        var to = end
        while to > 0 {
            let from = max(to - chunk.count, 0)
            let wanted = to - from
            guard SystemFile.readSome(descriptor, &chunk, count: wanted, at: from) == wanted else { return end }
            if let last = chunk[..<wanted].lastIndex(of: 0x0a) { return from + last + 1 }
            to = from
        }
        return 0
    }

    private func failure(_ operation: String) -> SpanFileError {
        SpanFileError(operation: operation, path: path, errno: errno)
    }
}
