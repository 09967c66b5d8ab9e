#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Lines of a file, a pipe or standard input, in memory that is bounded by the longest line.
final class LineReader {
    /// A longer line is refused.
    static let longestLine = 64 << 20

    private let path: String
    private let file: Int32
    private var buffer: [UInt8] = []
    private var start = 0
    private var isAtEnd = false
    private var chunk = [UInt8](repeating: 0, count: 1 << 16)
    /// How many bytes were read.
    private(set) var bytes: Int64 = 0
    /// The number of the last line, from 1.
    private(set) var number = 0

    /// Opens a path; `-` is standard input.
    init(_ path: String) throws(CommandError) {
        self.path = path == "-" ? "standard input" : path
        file = path == "-" ? 0 : open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw Files.failure(path) }
    }

    deinit { if file > 0 { close(file) } }

    /// `path:line`, for messages.
    var place: String { "\(path):\(number)" }

    /// Whether a line lies in memory already, so that ``next()`` doesn't wait.
    var hasLine: Bool { isAtEnd || buffer[start...].contains(0x0a) }

    /// The next line without its end; nil after the last.
    func next() throws(CommandError) -> [UInt8]? {
        var searched = start
        while true {
            if let end = buffer[searched...].firstIndex(of: 0x0a) {
                defer { start = end + 1 }
                number += 1
                return Array(buffer[start..<end])
            }
            searched = buffer.count
            if isAtEnd {
                guard start < buffer.count else { return nil }
                defer { start = buffer.count }
                number += 1
                return Array(buffer[start...])
            }
            guard buffer.count - start <= Self.longestLine else {
                throw CommandError("\(path): line \(number + 1) is longer than \(Self.longestLine) bytes")
            }
            searched -= start
            buffer.removeFirst(start)
            start = 0
            let count = readSome(file, &chunk)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw Files.failure(path) }
            isAtEnd = count == 0
            bytes += Int64(count)
            buffer += chunk[..<count]
        }
    }
}

private func readSome(_ file: Int32, _ chunk: inout [UInt8]) -> Int { read(file, &chunk, chunk.count) }
