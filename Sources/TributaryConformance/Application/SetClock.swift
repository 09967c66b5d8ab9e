internal import Synchronization
internal import TributaryCore

/// A wall clock that starts at 0 and moves only when told to.
final class SetClock: Sendable {
    private let now = Atomic<Int64>(0)

    func advance(milliseconds: Int64) { now.add(milliseconds &* 1_000_000, ordering: .relaxed) }

    var source: TimeSource { TimeSource { self.now.load(ordering: .relaxed) } }
}
