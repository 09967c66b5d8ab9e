internal import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Who holds a lock that others wait for, as far as the system tells; for messages only.
package struct LockHolder: Sendable, Equatable, CustomStringConvertible {
    /// The process.
    package let process: Int32
    /// Whether it is stopped (SIGSTOP, a debugger): it will not let go until it goes on or is killed.
    package let isStopped: Bool
    /// How long it has the lock, in milliseconds; nil if it didn't say.
    package let milliseconds: Int64?

    /// "process 17, stopped, for 12 s".
    package var description: String {
        var text = process == getpid() ? "this process (\(process))" : "process \(process)"
        if isStopped { text += ", which is stopped" }
        if let milliseconds { text += ", for \(milliseconds / 1000) s" }
        return text
    }

    /// What the holder of an `flock` wrote into the file with ``note(in:)``; nil if nothing is there.
    package init?(noteIn path: String) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = unsafe pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        let words = String(decoding: bytes.prefix(count), as: UTF8.self).split { !("0"..."9").contains($0) }
        guard let process = words.first.flatMap({ Int32($0) }), process > 0 else { return nil }
        let since = words.dropFirst().first.flatMap { Int64($0) }
        self.init(process: process, since: since)
    }

    /// The process of a thread, by the number that the system has for it; nil if there is none.
    package init?(thread: Int32) {
        guard thread > 0 else { return nil }
        self.init(process: Self.status(thread)?.process ?? thread, since: nil)
    }

    private init(process: Int32, since: Int64?) {
        self.process = process
        isStopped = Self.status(process)?.isStopped ?? false
        let held = since.map { MonotonicClock.milliseconds.subtractingReportingOverflow($0).partialValue }
        milliseconds = held.flatMap { $0 >= 0 ? $0 : nil }
    }

    /// Writes who and since when into a lock's file, which the caller has just locked.
    ///
    /// That a full disk keeps it from being written changes nothing.
    package static func note(in descriptor: Int32) {
        let text = Array("process \(getpid()) since \(MonotonicClock.milliseconds)\n".utf8)
        if ftruncate(descriptor, 0) == 0 { _ = unsafe pwrite(descriptor, text, text.count, 0) }
    }

    /// What `/proc` says of a process or thread; nil where there is no such thing.
    private static func status(_ id: Int32) -> (process: Int32, isStopped: Bool)? {
        let descriptor = unsafe open("/proc/\(id)/status", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = unsafe read(descriptor, &bytes, bytes.count)
        guard count > 0 else { return nil }
        var process = id
        var isStopped = false
        for line in String(decoding: bytes.prefix(count), as: UTF8.self).split(separator: "\n") {
            let words = line.split { $0 == "\t" || $0 == " " }
            guard words.count > 1 else { continue }
            if words[0] == "Tgid:" { process = Int32(words[1]) ?? id }
            if words[0] == "State:" { isStopped = words[1] == "T" || words[1] == "t" }
        }
        return (process, isStopped)
    }
}
