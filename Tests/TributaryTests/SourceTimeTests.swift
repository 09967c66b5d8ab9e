import Foundation
import Testing
import Tributary
import TributaryCore
import TributaryTesting

/// When a source's records happened, by what its closures see of them.
@Suite struct SourceTimeTests {
    private struct Order: JSONRecordable {
        var item: String
        var time: Int64
    }

    private struct Unknown: Error {}

    private func driver(
        _ handler: @escaping @Sendable (FailedRecord) -> ErrorResponse = { _ in .fail },
        _ describe: (StreamsBuilder) -> Void
    ) throws -> TopologyTestDriver {
        let builder = StreamsBuilder()
        describe(builder)
        var configuration = TestDriverConfiguration()
        configuration.runtime.deserializationHandler = handler
        return try TopologyTestDriver(builder.build(), configuration: configuration)
    }

    @Test func `a closure sees key, value, timestamps, headers and coordinates of the record`() throws {
        let seen = Guarded<[String]>([])
        let driver = try driver { builder in
            builder.stream(
                "orders", of: Order.self,
                recordTimestamp: { record in
                    let headers = record.headers.list.map(\.name).joined(separator: "+")
                    seen.withLock {
                        $0.append(
                            "\(record.key ?? "null") \(record.value?.item ?? "null") \(record.timestamp) "
                                + "\(record.partitionTime) \(record.coordinate) \(headers)")
                    }
                    return record.value?.time ?? record.timestamp + 1
                }
            ).to("out")
        }
        defer { driver.close() }
        let headers = Headers([("h", [1]), ("traceparent", Array("00-x".utf8)), ("tributary-x", [2])])
        try driver.pipe("orders", "a", Order(item: "tea", time: 70), timestamp: 5, headers: headers)
        try driver.pipe("orders", "b", Order(item: "cup", time: 60), timestamp: 6)
        try driver.pipe(topic: "orders", key: Array("c".utf8), value: nil, timestamp: 7)
        #expect(
            seen.withLock { $0 } == [
                "a tea 5 -1 orders-0@0 h", "b cup 6 70 orders-0@1 ", "c null 7 70 orders-0@2 ",
            ])
        let times = driver.log.records(in: TopicPartition("out", 0)).map(\.timestamp)
        #expect(times == [70, 60, 8])
    }

    @Test func `a time below zero drops the record, a closure that throws and refused bytes ask the handler`() throws {
        let failures = Guarded<[String]>([])
        let handler: @Sendable (FailedRecord) -> ErrorResponse = { record in
            failures.withLock { $0.append("\(record.step) \(record.coordinate?.offset ?? -1)") }
            return .continue
        }
        let driver = try driver(handler) { builder in
            builder.stream(
                "orders", of: Order.self,
                recordTimestamp: { record in
                    guard let value = record.value else { throw Unknown() }
                    return value.time
                }
            ).to("out")
        }
        defer { driver.close() }
        try driver.pipe("orders", "a", Order(item: "tea", time: -3), timestamp: 5)
        try driver.pipe(topic: "orders", key: Array("b".utf8), value: nil, timestamp: 5)
        try driver.pipe(topic: "orders", key: Array("c".utf8), value: Array("no order".utf8), timestamp: 5)
        try driver.pipe("orders", "d", Order(item: "tea", time: 9), timestamp: 5)
        #expect(failures.withLock { $0 } == ["timestamp 1", "timestamp 2"])
        #expect(driver.dropped == [.invalidTimestamp: 3])
        #expect(driver.log.records(in: TopicPartition("out", 0)).map(\.timestamp) == [9])
    }

    @Test func `a Date is a time, a table's records have times of their own, and windows go by them`() throws {
        let driver = try driver { builder in
            _ = builder.table(
                "prices", of: Int64.self, as: "prices",
                recordTimestamp: { record in Date(timeIntervalSince1970: Double(record.value ?? 0)) })
            builder.stream("orders", of: Order.self, timestamp: \.time).groupByKey()
                .windowedBy(.tumbling(size: .seconds(1))).count(as: "windows").toStream().to("out")
        }
        defer { driver.close() }
        try driver.pipe("prices", "tea", Int64(7), timestamp: 1)
        #expect(try driver.rows(ofStore: "prices").map(\.timestamp) == [7000])
        for time: Int64 in [100, 900, 1000] {
            try driver.pipe("orders", "k", Order(item: "tea", time: time), timestamp: 77)
        }
        let windows = try driver.takeRecords(from: "out", .timeWindowed(.string, size: .seconds(1)), .int64)
        #expect(windows.map(\.key.window.start) == [0, 0, 1000] && windows.map(\.value) == [1, 2, 1])
    }

    @Test func `a source whose times are said in two ways is refused`() {
        let builder = StreamsBuilder()
        builder.stream("in", of: Order.self, timestamps: .logAndSkip, timestamp: \.time).to("out")
        #expect { _ = try builder.build() } throws: { "\($0)".contains("in 2 ways") }
    }
}
