internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Lines for a file, or for the standard output, from any thread.
///
/// A file is made, or emptied, when its first user opens it, and written whenever 8 KiB have come together and when its last user closes
/// it; what a user opens again later is added to. The standard output is written with each line.
package final class LineOutput: Sendable {
    private struct State {
        var descriptor: Int32 = -1
        var users = 0
        var wasOpened = false
        var waiting: [UInt8] = []
    }

    private static let mostWaiting = 8192
    private let path: String?
    private let state = Mutex(State())

    /// Lines for the file at `path`; nil for the standard output.
    package init(path: String?) { self.path = path }

    /// Begins the use of it.
    ///
    /// - Throws: ``LineOutputError`` if the file can't be opened.
    package func open() throws(LineOutputError) {
        let code = state.withLock { state -> Int32 in
            if state.users == 0 {
                if let path {
                    let mode = O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND | (state.wasOpened ? 0 : O_TRUNC)
                    state.descriptor = Self.open(path, mode)
                    guard state.descriptor >= 0 else { return errno }
                } else {
                    state.descriptor = 1
                }
            }
            state.wasOpened = true
            state.users += 1
            return 0
        }
        if code != 0 { throw LineOutputError(path, code) }
    }

    /// Adds a line.
    ///
    /// - Throws: ``LineOutputError`` if it can't be written; it is then not there.
    package func write(_ line: String) throws(LineOutputError) {
        let code = state.withLock { state -> Int32 in
            state.waiting += Array(line.utf8)
            state.waiting.append(0x0a)
            return path == nil || state.waiting.count >= Self.mostWaiting ? Self.flush(&state) : 0
        }
        if code != 0 { throw LineOutputError(path, code) }
    }

    /// Ends one use of it.
    package func close() {
        state.withLock { state in
            guard state.users > 0 else { return }
            state.users -= 1
            guard state.users == 0 else { return }
            _ = Self.flush(&state)
            if path != nil { Self.close(state.descriptor) }
            state.descriptor = -1
        }
    }

    private static func flush(_ state: inout State) -> Int32 {
        var done = 0
        while done < state.waiting.count {
            let count = unsafe state.waiting.withUnsafeBytes { bytes in
                unsafe Self.write(state.descriptor, bytes.baseAddress.map { unsafe $0 + done }, bytes.count - done)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                let code = count == 0 ? EIO : errno
                state.waiting.removeAll(keepingCapacity: true)
                return code
            }
            done += count
        }
        state.waiting.removeAll(keepingCapacity: true)
        return 0
    }
}

extension LineOutput {
    // The calls, whose names the methods hide.
    private static func open(_ path: String, _ mode: Int32) -> Int32 {
        #if canImport(Glibc)
            unsafe Glibc.open(path, mode, 0o644)
        #else
            unsafe Darwin.open(path, mode, 0o644)
        #endif
    }

    private static func close(_ descriptor: Int32) {
        #if canImport(Glibc)
            _ = Glibc.close(descriptor)
        #else
            _ = Darwin.close(descriptor)
        #endif
    }

    private static func write(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
        #if canImport(Glibc)
            unsafe Glibc.write(descriptor, bytes, count)
        #else
            unsafe Darwin.write(descriptor, bytes, count)
        #endif
    }
}

/// Lines that couldn't be written.
package struct LineOutputError: Error, CustomStringConvertible {
    /// What failed, and where.
    package let description: String

    init(_ path: String?, _ code: Int32) {
        let words = unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
        description = "printing to \(path.map { "'\($0)'" } ?? "the standard output"): \(words)"
    }
}
