import Testing
import TributaryCore
import TributaryKafka
import TributaryTesting

/// What every log must do, as far as Kafka and librdkafka's pretended brokers can.
@Suite(.timeLimit(.minutes(10))) struct MockConformanceTests {
    /// What pretended brokers can't do, and why; `RealConformanceTests` runs these on a real one.
    static let beyondTheMock = [
        "a topic is described as it was created": "they know no settings",
        "a topic that is not there is nil, and an error where it is used": "they make topics that are asked for",
        "bad names and partition counts are refused": "topics are made in the pretence, without a check",
        "a topic made anew is empty and has another identity": "they delete no topics",
        "a closed log says so": "topics are described by the test's stand-in",
        "offsets are found by time, also where timestamps go back": "they find no offsets by time",
        "deleting records moves the low watermark, and reading below it is an error": "they delete no records",
        "a batch stays readable when its consumer and the records are gone": "they delete no records",
        "committed offsets outlive the member": "their coordinator takes seconds to let a member go",
        "a deleted topic is gone for its readers and writers, whoever has its name": "they delete no topics",
        "lives of a topic are counted, each name by itself": "they delete no topics",
        "offsets belong to a topic, not to its name": "they delete no topics",
        "groups know nothing of each other": "their coordinator takes seconds to let a member in",
        "committed offsets come back with their metadata, partition by partition": "they list no offsets of a group",
    ]

    static var checks: [LogConformance.Check] {
        LogConformance.checks.filter {
            beyondTheMock[$0.name] == nil && RealConformanceTests.beyondKafka[$0.name] == nil
        }
    }

    @Test(arguments: checks)
    func `Kafka on pretended brokers conforms`(check: LogConformance.Check) throws {
        try LogConformance(makeLog: { try MockedLog() }).run(check)
    }

    @Test func `what is left out is known by its name`() {
        let names = Set(LogConformance.checks.map(\.name))
        #expect(names.isSuperset(of: Self.beyondTheMock.keys))
        #expect(names.isSuperset(of: RealConformanceTests.beyondKafka.keys))
    }
}
