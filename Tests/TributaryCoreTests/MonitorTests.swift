import Synchronization
import Testing

@testable import TributaryCore

@Suite struct MonitorTests {
    /// What is waited for lies outside of the monitor, so a wake-up may come between a look at it and the waiting.
    @Test func `no wake-up is lost`() {
        let monitor = Monitor(0)
        let asked = Atomic(0)
        let answered = Atomic(0)
        let rounds = 5_000
        let status = OSThread.start("waker") {
            for round in 1...rounds {
                asked.store(round, ordering: .releasing)
                monitor.wake()
                while answered.load(ordering: .acquiring) < round {}
            }
        }
        #expect(status == 0)
        var late = 0
        for round in 1...rounds {
            let start = MonotonicClock.milliseconds
            let isWoken: Bool? = monitor.wait(milliseconds: late == 0 ? 5_000 : 0) { _ in
                asked.load(ordering: .acquiring) == round ? true : nil
            }
            if isWoken != true || MonotonicClock.milliseconds - start >= 5_000 { late += 1 }
            answered.store(round, ordering: .releasing)
        }
        #expect(late == 0)
    }
}
