import Testing
import TributaryDSL

@testable import TributaryRuntime

/// The order of schedules.
@Suite struct PunctuationQueueTests {
    @Test func `schedules of one due time go in the order of a Java PriorityQueue`() throws {
        let queue = PunctuationQueue()
        var called = ""
        for name in ["a", "b", "c", "d"] { _ = queue.add(every: 10, firstDue: 0) { _ in called += name } }
        #expect(try queue.run(at: 0, showing: 0))
        // Worked out by hand: the last of the heap takes the first one's place, and goes down only below what is earlier.
        #expect(called == "adbc")
        #expect(queue.earliest == 10)
        #expect(try !queue.run(at: 9, showing: 9))
    }
}
