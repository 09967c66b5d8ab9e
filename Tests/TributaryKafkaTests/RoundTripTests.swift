import TestSupport
import Testing
import TributaryCore
import TributaryKafka
import TributaryTesting

/// Records as other programs see them.
extension RealBrokerTests {
    @Suite(.enabled(if: Program.exists("kcat"), "kcat is not installed")) struct RoundTripTests {
        /// Fields of a record as kcat prints them: timestamp, key and its length, value and its length, headers.
        static let format = "%T|%k|%K|%s|%S|%h\n"

        private func kcat(_ topic: String) throws -> [String] {
            try Program.run([
                "kcat", "-b", RealBroker.bootstrap, "-C", "-t", topic, "-p", "0", "-e", "-q", "-f", Self.format,
            ]).split(separator: "\n").map { String($0) }
        }

        @Test func `what we write, kcat reads`() throws {
            let log = try RealBroker.log()
            defer { log.close() }
            let topic = RealBroker.name("written")
            try log.createTopics([TopicSpecification(topic, settings: ["retention.ms": "-1"])])
            let producer = try log.makeProducer(ProducerConfiguration(clientID: "test"))
            let number = try producer.number(ofTopic: topic)
            let context = TraceContext(traceHigh: 1, traceLow: 2, span: 3, flags: 1)
            func send(
                _ timestamp: Int64, _ key: [UInt8]?, _ value: [UInt8]?, _ headers: Headers = Headers(),
                _ context: TraceContext = .none, _ cell: [UInt8] = []
            ) throws {
                try producer.send(
                    OutgoingRecord(
                        timestamp: timestamp, key: key?.span.bytes, value: value?.span.bytes,
                        headers: headers.encoded.span.bytes, context: context, cell: cell.span.bytes), topic: number,
                    partition: 0)
            }
            try send(1_700_000_000_000, Array("k".utf8), Array("v".utf8))
            try send(2, nil, nil)
            try send(0, [], [])
            let headers = Headers([("b", Array("1".utf8)), ("a", nil), ("b", Array("2".utf8)), ("a", [])])
            try send(3, Array("k".utf8), nil, headers, context, Array("cell".utf8))
            try producer.flush()
            let trace = "traceparent=00-00000000000000010000000000000002-0000000000000003-01"
            #expect(
                try kcat(topic) == [
                    "1700000000000|k|1|v|1|", "2||-1||-1|", "1||0||0|",
                    "3|k|1||-1|b=1,a=NULL,b=2,a=,\(trace),tributary-cell=cell",
                ])
            #expect(log.raisedTimestamps == 1)
        }

        @Test func `what kcat writes, we read`() throws {
            let log = try RealBroker.log()
            defer { log.close() }
            let topic = RealBroker.name("read")
            try log.createTopics([TopicSpecification(topic, settings: ["retention.ms": "-1"])])
            let folder = try TemporaryFolder()
            let file = try folder.file("input", "k:v\nk:\n")
            let trace = "00-00000000000000010000000000000002-0000000000000003-01"
            try Program.run([
                "kcat", "-b", RealBroker.bootstrap, "-P", "-t", topic, "-p", "0", "-K", ":", "-Z", "-H", "b=1", "-H",
                "traceparent=\(trace)", "-H", "b=2", "-l", file,
            ])
            let records = try readAll(log, topic, partitions: 1)
            #expect(records.map(\.key) == [[107], [107]])
            #expect(records.map(\.value) == [[118], nil])
            for record in records {
                #expect(record.headers.list.map(\.name) == ["b", "b"])
                #expect(record.headers.list.map(\.value) == [[49], [50]])
                #expect(record.context.traceparent == trace)
            }
        }

        @Test func `records up to the topic's limit go through, larger ones are an error with its partition`() throws {
            let log = try RealBroker.log()
            defer { log.close() }
            let topic = RealBroker.name("large")
            try log.createTopics([
                TopicSpecification(topic, settings: ["max.message.bytes": "12000000", "retention.ms": "-1"])
            ])
            let producer = try log.makeProducer(ProducerConfiguration(clientID: "test"))
            let number = try producer.number(ofTopic: topic)
            func send(_ count: Int) throws {
                let value = [UInt8](repeating: UInt8(count & 0xff), count: count)
                try producer.send(
                    OutgoingRecord(timestamp: 1, key: nil, value: value.span.bytes), topic: number, partition: 0)
            }
            try send(11_900_000)
            try send(7)
            try producer.flush()
            try send(12_000_001)
            let error = #expect(throws: LogError.self) { try producer.flush() }
            #expect(error?.code == .tooLarge)
            #expect(error?.topic == topic)
            #expect(error?.partition == 0)
            try send(8)
            try producer.flush()
            #expect(try readAll(log, topic, partitions: 1).map { $0.value?.count } == [11_900_000, 7, 8])
        }

        @Test func `a timestamp far ahead is refused by the broker, with its partition`() throws {
            let log = try RealBroker.log()
            defer { log.close() }
            let topic = RealBroker.name("ahead")
            try log.createTopics([TopicSpecification(topic, settings: ["retention.ms": "-1"])])
            let producer = try log.makeProducer(ProducerConfiguration(clientID: "test"))
            let number = try producer.number(ofTopic: topic)
            let value: [UInt8] = [1]
            try producer.send(
                OutgoingRecord(
                    timestamp: TimeSource.system.wall.milliseconds + 7_200_000, key: nil, value: value.span.bytes),
                topic: number, partition: 0)
            let error = #expect(throws: LogError.self) { try producer.flush() }
            #expect(error?.code == .invalidRequest)
            #expect(error?.partition == 0)
        }
    }
}
