internal import TributaryCore

/// The one member of a group: on an embedded log one process runs an application, and all tasks are its own.
@safe final class EmbeddedGroup: LogGroup {
    let name: String
    private let handle: LogHandle
    private let tasks: Int
    private let word = FutexWord()
    private let state: Guarded<State>

    private struct State: ~Copyable {
        var lock: FileLock?
        var isTold = false
    }

    init(_ handle: LogHandle, _ configuration: GroupConfiguration) throws(LogError) {
        name = configuration.group
        self.handle = handle
        tasks = configuration.tasks
        guard (1...200).contains(name.utf8.count) else {
            throw LogError(.invalidRequest, "a group's name has 1 to 200 bytes")
        }
        guard tasks >= 0 else { throw LogError(.invalidRequest, "a group has 0 tasks or more") }
        let path = handle.core.directory + "/groups/" + fileName(name) + ".lock"
        guard let lock = try FileLock.ifFree(path) else {
            let holder = LockHolder(noteIn: path).map { "\($0)" } ?? "another process"
            throw LogError(.inUse, "\(holder) runs the application \(name) on this log")
        }
        state = Guarded(State(lock: lock))
    }

    /// Throws if the group was left.
    func checkMember() throws(LogError) {
        let isMember = state.withLock { $0.lock != nil }
        guard isMember else { throw LogError(.fenced, "the group was left") }
    }

    func nextChange(timeout milliseconds: Int64) throws(LogError) -> PlacementChange? {
        try handle.check()
        let seen = word.now
        try checkMember()
        let first = state.withLock { state in
            let first = !state.isTold
            state.isTold = true
            return first
        }
        if first { return .assigned(Array(0..<tasks)) }
        // Nothing ever changes here; whoever waits is waited with.
        if milliseconds != 0 {
            word.wait(seen, nanoseconds: milliseconds < 0 ? -1 : min(milliseconds, 1 << 40) &* 1_000_000)
        }
        try checkMember()
        return nil
    }

    func committed(_ partitions: [TopicPartition]) throws(LogError) -> [TopicPartition: CommittedOffset] {
        try handle.check()
        let all = try handle.core.store.committed(name)
        let asked = Set(partitions)
        return all.filter { asked.contains($0.key) }
    }

    func commit(_ offsets: [TopicPartition: CommittedOffset]) throws(LogError) {
        try handle.check()
        try checkMember()
        guard !offsets.isEmpty else { return }
        try handle.core.store.check(offsets)
        let set = WriteSet(batches: [], bytes: 0, offsets: offsets, group: name, word: word)
        handle.core.writer.submit(set)
        set.wait()
        if let failure = set.failure { throw failure }
    }

    func leave() {
        state.withLock { $0.lock = nil }
        word.announce()
    }
}

/// A name as a file's: letters, digits, `-` and `_` as they are, other bytes as `%` and two digits.
func fileName(_ name: String) -> String {
    var text = ""
    for byte in name.utf8 {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x5f: text.unicodeScalars.append(Unicode.Scalar(byte))
        default:
            let digits = String(byte, radix: 16)
            text += digits.count == 1 ? "%0" + digits : "%" + digits
        }
    }
    return text
}
