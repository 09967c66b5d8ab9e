import TributaryCore

extension LogConformance {
    static var recordChecks: [Check] {
        [
            Check("null and empty keys and values stay what they are") { fixture in
                let place = try fixture.topic("t")
                let producer = try fixture.producer()
                let parts: [[UInt8]?] = [nil, [], [0], [0xff, 0, 7]]
                var sent: [LoggedRecord] = []
                for key in parts {
                    for value in parts {
                        sent.append(
                            LoggedRecord(offset: Int64(sent.count), timestamp: 5, key: key, value: value))
                    }
                }
                for record in sent { try fixture.send(record, to: place, with: producer) }
                try producer.flush()
                try expectRecords(try fixture.read(sent.count, from: place), sent)
            },
            Check("headers keep order, duplicates, null and empty values") { fixture in
                let place = try fixture.topic("t")
                let producer = try fixture.producer()
                var record = LoggedRecord(timestamp: 1, key: nil, value: [1])
                record.headers = Headers([
                    ("b", [1]), ("a", nil), ("b", []), ("", [2]), ("ünïcode", [0, 255]), ("b", [1]),
                ])
                try fixture.send(record, to: place, with: producer)
                try producer.flush()
                try expectRecords(try fixture.read(1, from: place), [record])
            },
            Check("a header list that is none is refused, and nothing of the record is written") { fixture in
                let place = try fixture.topic("t")
                let producer = try fixture.producer()
                let number = try producer.number(ofTopic: place.topic)
                for list in [[0xff], [5], [1, 1, 97], [2, 1, 97, 2, 98], [1, 1, 97, 0, 0]] as [[UInt8]] {
                    try expect(.invalidRequest, "headers \(list)") {
                        try producer.send(
                            OutgoingRecord(timestamp: 1, key: nil, value: nil, headers: list.span.bytes), topic: number,
                            partition: place.partition)
                    }
                }
                let good = fixture.record("x", timestamp: 1)
                try fixture.send(good, to: place, with: producer)
                try producer.flush()
                try expectRecords(try fixture.read(1, from: place), [good])
            },
            Check("timestamps from 0 to the largest come back") { fixture in
                let place = try fixture.topic("t")
                let producer = try fixture.producer()
                let times: [Int64] = [0, 5, 3, 1_700_000_000_000, Int64.max / 2]
                for time in times { try fixture.send(fixture.record("x", timestamp: time), to: place, with: producer) }
                try producer.flush()
                try expect(try fixture.read(5, from: place).map(\.timestamp), equals: times, "timestamps")
            },
            Check("context, cell and rarer lineage headers come back beside the user's headers") { fixture in
                let place = try fixture.topic("t")
                let producer = try fixture.producer()
                let context = TraceContext(traceHigh: 1 << 63 | 5, traceLow: 7, span: .max, flags: 3)
                var sent: [LoggedRecord] = []
                for bits in 0..<16 {
                    var record = LoggedRecord(offset: Int64(bits), timestamp: 1, key: [1], value: [2])
                    if bits & 1 != 0 { record.headers = Headers([("h", [1])]) }
                    if bits & 2 != 0 { record.context = context }
                    if bits & 4 != 0 { record.cell = Array(0...59) }
                    if bits & 8 != 0 { record.lineageHeaders = Headers([("tracestate", Array("a=b".utf8))]) }
                    sent.append(record)
                    try fixture.send(record, to: place, with: producer)
                }
                try producer.flush()
                try expectRecords(try fixture.read(16, from: place), sent)
            },
            Check("many records and a large one come back in order") { fixture in
                let place = try fixture.topic("t")
                let producer = try fixture.producer()
                var sent: [LoggedRecord] = []
                for index in 0..<2_000 {
                    let size = index == 1_000 ? 300_000 : index % 97
                    let value = [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: size)
                    let key = Array("\(index)".utf8)
                    sent.append(
                        LoggedRecord(offset: Int64(index), timestamp: Int64(index) + 1, key: key, value: value))
                    try fixture.send(sent[index], to: place, with: producer)
                }
                try producer.flush()
                try expect(producer.pendingBytes, equals: 0, "pending bytes after a flush")
                try expectRecords(try fixture.read(2_000, from: place), sent)
            },
            Check("partitions have offsets of their own, and the producer knows the last") { fixture in
                try fixture.topic("t", partitions: 2)
                let producer = try fixture.producer()
                let number = try producer.number(ofTopic: "t")
                try expect(producer.lastOffset(topic: number, partition: 0), equals: -1, "last offset before sending")
                for (partition, value) in [(Int32(0), "a"), (1, "b"), (1, "c")] {
                    try fixture.send(fixture.record(value), to: TopicPartition("t", partition), with: producer)
                }
                try producer.flush()
                try expect(producer.lastOffset(topic: number, partition: 0), equals: 0, "last offset of partition 0")
                try expect(producer.lastOffset(topic: number, partition: 1), equals: 1, "last offset of partition 1")
                let second = try fixture.read(2, from: TopicPartition("t", 1))
                try expect(fixture.values(second), equals: ["b", "c"], "values")
                try expect(second.map(\.offset), equals: [0, 1], "offsets")
            },
            Check("flushing nothing is allowed, sending without a transaction where one is needed is not") { fixture in
                let place = try fixture.topic("t")
                let plain = try fixture.producer()
                try plain.flush()
                try expect(.invalidRequest, "beginTransaction without an id") { try plain.beginTransaction() }
                let transactional = try fixture.producer("id")
                try expect(.invalidRequest, "send outside of a transaction") {
                    try fixture.send(fixture.record("x"), to: place, with: transactional)
                }
            },
            Check("watermarks follow what is written") { fixture in
                let place = try fixture.topic("t")
                for committed in [true, false] {
                    let empty = try fixture.log.watermarks(place, committed: committed)
                    try expect(empty, equals: Watermarks(low: 0, high: 0), "of an empty partition")
                }
                try fixture.write(["a", "b"], to: place)
                for committed in [true, false] {
                    let two = try fixture.log.watermarks(place, committed: committed)
                    try expect(two, equals: Watermarks(low: 0, high: 2), "after two records")
                }
            },
            Check("offsets are found by time, also where timestamps go back") { fixture in
                let place = try fixture.topic("t", partitions: 2)
                let producer = try fixture.producer()
                for time in [10, 30, 20, 40] as [Int64] {
                    try fixture.send(fixture.record("x", timestamp: time), to: place, with: producer)
                }
                try producer.flush()
                for (time, offset) in [(0, 0), (10, 0), (11, 1), (30, 1), (31, 3)] as [(Int64, Int64)] {
                    let found = try fixture.log.offsets(atOrAfter: [place: time])
                    try expect(found, equals: [place: offset], "at or after \(time)")
                }
                let none = try fixture.log.offsets(atOrAfter: [place: 41, TopicPartition("t", 1): 0])
                try expect(none, equals: [:], "after the last record, and of an empty partition")
            },
            Check("deleting records moves the low watermark, and reading below it is an error") { fixture in
                let place = try fixture.topic("t")
                try fixture.write(["a", "b", "c"], to: place)
                try fixture.log.deleteRecords(before: [place: 2])
                let ends = try fixture.log.watermarks(place, committed: true)
                try expect(ends, equals: Watermarks(low: 2, high: 3), "watermarks")
                try expect(fixture.values(try fixture.read(1, from: place, at: 2)), equals: ["c"], "values")
                try expect(try fixture.log.offsets(atOrAfter: [place: 0]), equals: [place: 2], "offset by time")
                try expect(.offsetOutOfRange, "reading at 1") { _ = try fixture.read(2, from: place, at: 1) }
                try fixture.log.deleteRecords(before: [place: 1])
                try expect(try fixture.log.watermarks(place, committed: true).low, equals: 2, "low never goes back")
                try expect(.offsetOutOfRange, "beyond the end") { try fixture.log.deleteRecords(before: [place: 4]) }
                try fixture.log.deleteRecords(before: [place: 3])
                try fixture.write(["d"], to: place)
                let last = try fixture.read(1, from: place, at: 3)
                try expect(last.map(\.offset), equals: [3], "offset after everything was deleted")
            },
        ]
    }

    private static func expectRecords(_ records: [LoggedRecord], _ expected: [LoggedRecord]) throws {
        for (index, pair) in zip(records, expected).enumerated() {
            try expect(pair.0, equals: pair.1, "record \(index)")
        }
        try expect(records.count, equals: expected.count, "number of records")
    }
}
