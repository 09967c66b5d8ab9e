import Testing
import TributaryCore
import TributaryKafka
import TributaryTesting

extension RealBrokerTests {
    @Test(arguments: RealConformanceTests.checks)
    func `Kafka conforms`(check: LogConformance.Check) throws {
        let prefix = RealBroker.name("check") + "-"
        try LogConformance(makeLog: { NamedLog(try RealBroker.log(), prefix: prefix) }).run(check)
    }
}

/// What every log must do, as far as Kafka can.
enum RealConformanceTests {
    static var checks: [LogConformance.Check] { LogConformance.checks.filter { beyondKafka[$0.name] == nil } }

    private static let transactions = "exactly-once on Kafka is refused for now"

    /// What Kafka can't do, and why.
    static let beyondKafka = [
        "timestamps from 0 to the largest come back": "0 goes out as 1, and brokers refuse times beyond an hour ahead",
        "a topic made anew is empty and has another identity": "librdkafka 2.0 tells no topic ids",
        "a deleted topic is gone for its readers and writers, whoever has its name":
            "librdkafka 2.0 tells no topic ids",
        "lives of a topic are counted, each name by itself": "librdkafka 2.0 tells no topic ids",
        "offsets belong to a topic, not to its name": "librdkafka 2.0 tells no topic ids",
        "flushing nothing is allowed, sending without a transaction where one is needed is not": transactions,
        "records of a transaction are seen when it is committed, all at once": transactions,
        "an aborted transaction is never read": transactions,
        "closing a producer gives up its transaction": transactions,
        "records keep the order of sending across partitions and commits": transactions,
        "offsets are committed with the transaction, and not with an aborted one": transactions,
        "a transaction with offsets only, and an empty one, can be committed": transactions,
        "commit ids grow": transactions,
        "the second producer of a transactional id fences the first": transactions,
        "transactions are begun once and ended once": transactions,
    ]
}
