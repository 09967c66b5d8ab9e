internal import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The process's standard output, buffered; knows when nobody reads it any more, so that commands can end and clean up.
final class StandardOutput: Sendable {
    private struct State: Sendable {
        var buffer: [UInt8] = []
        var isClosed = false
    }

    private let state = Guarded(State())

    init() {
        // A closed pipe is an error of `write`, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
    }

    /// Whether the reader has gone.
    var isClosed: Bool { state.withLock { $0.isClosed } }

    func line(_ text: String) {
        state.withLock { state in
            state.buffer.append(contentsOf: text.utf8)
            state.buffer.append(0x0a)
            if state.buffer.count > 1 << 16 { Self.flush(&state) }
        }
    }

    func flush() { state.withLock { Self.flush(&$0) } }

    private static func flush(_ state: inout State) {
        if !state.isClosed, !writeAll(state.buffer, to: 1) { state.isClosed = true }
        state.buffer.removeAll(keepingCapacity: true)
    }

    /// Writes all bytes; false if the file takes no more.
    static func writeAll(_ bytes: [UInt8], to file: Int32) -> Bool {
        var start = 0
        while start < bytes.count {
            let count = bytes[start...].withUnsafeBytes { sendBytes(file, $0) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return false }
            start += count
        }
        return true
    }
}

private func sendBytes(_ file: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    write(file, bytes.baseAddress, bytes.count)
}
