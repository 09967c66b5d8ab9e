import Glibc
import Synchronization
import TributaryCore

/// The machine's clocks as they are where somebody sets the time of day again and again, an hour back or a day forward.
///
/// `TRIBUTARY_CLOCK_JUMPS=<ms>` says how long it stays set, of elapsed time.
final class JumpingClock: Sendable {
    private let interval: Int64

    /// Nil if the environment has none.
    init?() {
        guard let text = getenv("TRIBUTARY_CLOCK_JUMPS"), let interval = Int64(String(cString: text)), interval > 0
        else { return nil }
        self.interval = interval
    }

    var source: TimeSource {
        let system = TimeSource.system
        return TimeSource {
            // Right, an hour behind, right, a day ahead, and so on.
            let step = system.monotonic.milliseconds / self.interval % 4
            let offset: Int64 = step == 1 ? -3_600_000 : step == 3 ? 86_400_000 : 0
            return system.wall.nanoseconds() + offset * 1_000_000
        } monotonic: {
            system.monotonic.nanoseconds()
        }
    }
}
