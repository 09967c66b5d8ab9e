import Testing
import TributaryCore
import TributaryKafka
import TributaryTesting

extension RealBrokerTests {
    /// A broker tells of a new partition before it takes records for it: what is sent then must not be lost.
    @Test func `nothing that is sent to a topic made just now is lost or out of order`() throws {
        let log = try RealBroker.log()
        defer { log.close() }
        for _ in 0..<20 {
            let topic = RealBroker.name("new")
            try log.createTopics([TopicSpecification(topic, partitions: 4)])
            let producer = try log.makeProducer(ProducerConfiguration(clientID: "test"))
            let number = try producer.number(ofTopic: topic)
            for index in 0..<UInt8(40) {
                let value = [index]
                try producer.send(
                    OutgoingRecord(timestamp: TimeSource.system.wall.milliseconds, key: nil, value: value.span.bytes),
                    topic: number, partition: Int32(index % 4))
            }
            try producer.flush()
            producer.close()
            let expected = (0..<UInt8(4)).flatMap { partition in (0..<UInt8(10)).map { [$0 * 4 + partition] } }
            #expect(try readAll(log, topic, partitions: 4).map(\.value) == expected)
        }
    }
}
