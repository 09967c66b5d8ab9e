public import TributaryCore

/// Tells stream threads which tasks come and go, as the group says; on a thread of its own.
///
/// Task `n` belongs to the thread at index `n` modulo the number of threads. May be used from any thread.
public final class Placement: Sendable {
    private let group: any LogGroup
    private let thread = Guarded<OSThread?>(nil)

    /// Makes a placement that does nothing yet.
    public init(_ group: any LogGroup) { self.group = group }

    /// Begins to follow the group.
    ///
    /// - Throws: `LogError.Code.io` if the system gives no thread.
    public func begin(_ threads: [StreamThread]) throws(LogError) {
        let started = OSThread("placement") { [group] in
            do { try Placement.follow(group, threads) } catch {
                // Also that the group was left, when the threads have ended.
                for thread in threads { thread.fail(error) }
            }
        }
        guard let started else { throw LogError(.io, "the system gave no thread for the group's changes") }
        thread.withLock { $0 = started }
    }

    /// Waits until the group isn't used any more; to be called once it was left.
    public func end() { thread.withLock { $0.take() }?.join() }

    private static func follow(_ group: any LogGroup, _ threads: [StreamThread]) throws {
        while true {
            guard let change = try group.nextChange(timeout: 60_000) else { continue }
            let waiting = Monitor(threads.count)
            for (index, thread) in threads.enumerated() {
                let own = change.filtered { $0 % threads.count == index }
                thread.place(own) { waiting.change { $0 -= 1 } }
            }
            // Only then may the group go on.
            _ = waiting.wait(milliseconds: nil) { $0 == 0 ? true : nil }
        }
    }
}

extension PlacementChange {
    fileprivate func filtered(_ isOwn: (Int) -> Bool) -> PlacementChange {
        switch self {
        case .assigned(let numbers): .assigned(numbers.filter(isOwn))
        case .revoked(let numbers): .revoked(numbers.filter(isOwn))
        case .lost(let numbers): .lost(numbers.filter(isOwn))
        }
    }
}
