import Glibc
import Synchronization
import TributaryCore

/// Where the process ends itself: `TRIBUTARY_KILL_AT=<point>:<number>`, at the point's `number`th time from 1 on.
final class KillOrder: Sendable {
    private let point: KillPoint
    private let left: Atomic<Int>

    /// Nil if the environment has no order, or one that can't be read.
    init?() {
        guard let text = getenv("TRIBUTARY_KILL_AT") else { return nil }
        let parts = String(cString: text).split(separator: ":").map(String.init)
        guard parts.count == 2, let point = KillPoint(rawValue: parts[0]), let number = Int(parts[1]) else {
            return nil
        }
        self.point = point
        left = Atomic(number)
    }

    /// As from outside: nothing is cleaned up, and no buffer is written.
    func reached(_ point: KillPoint) {
        guard point == self.point, left.subtract(1, ordering: .relaxed).newValue == 0 else { return }
        kill(getpid(), SIGKILL)
        // The signal has come when the call returns, at the latest when the thread would go on.
        while true { pause() }
    }
}
