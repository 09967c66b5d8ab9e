import TributaryCore

extension LogConformance {
    static var topicChecks: [Check] {
        [
            Check("a topic is described as it was created") { fixture in
                let settings = ["cleanup.policy": "compact"]
                try fixture.log.createTopics([TopicSpecification("a.b-c_D9", partitions: 3, settings: settings)])
                let topic = try fixture.log.topic("a.b-c_D9")
                try expect(topic?.name, equals: "a.b-c_D9", "name")
                try expect(topic?.partitions, equals: 3, "partitions")
                try expect(topic?.settings["cleanup.policy"], equals: "compact", "cleanup.policy")
                try expect(try fixture.log.topics().map(\.name), equals: ["a.b-c_D9"], "topics")
            },
            Check("topics are listed by name") { fixture in
                for name in ["b", "c", "a"] { try fixture.topic(name) }
                try expect(try fixture.log.topics().map(\.name), equals: ["a", "b", "c"], "topics")
            },
            Check("a topic that is not there is nil, and an error where it is used") { fixture in
                try expect(try fixture.log.topic("none"), equals: nil, "topic")
                let place = TopicPartition("none", 0)
                try expect(.unknownTopic, "watermarks") { _ = try fixture.log.watermarks(place, committed: true) }
                try expect(.unknownTopic, "offsets") { _ = try fixture.log.offsets(atOrAfter: [place: 0]) }
                try expect(.unknownTopic, "deleteRecords") { try fixture.log.deleteRecords(before: [place: 0]) }
                try expect(.unknownTopic, "deleteTopics") { try fixture.log.deleteTopics(["none"]) }
                let consumer = try fixture.consumer()
                try expect(.unknownTopic, "assign") { _ = try consumer.assign(place, from: 0) }
                let producer = try fixture.producer()
                try expect(.unknownTopic, "number(ofTopic:)") { _ = try producer.number(ofTopic: "none") }
            },
            Check("a partition that is not there is an error") { fixture in
                try fixture.topic("t", partitions: 2)
                let producer = try fixture.producer()
                let number = try producer.number(ofTopic: "t")
                try expect(producer.partitions(ofTopic: number), equals: 2, "partitions")
                for partition in [Int32(2), -1] {
                    let place = TopicPartition("t", partition)
                    let consumer = try fixture.consumer()
                    try expect(.unknownTopic, "assign") { _ = try consumer.assign(place, from: 0) }
                    try expect(.unknownTopic, "watermarks") { _ = try fixture.log.watermarks(place, committed: true) }
                    try expect(.unknownTopic, "send") {
                        try fixture.send(fixture.record("x"), to: place, with: producer)
                    }
                }
            },
            Check("creating a topic that exists is refused, and those before it stay") { fixture in
                try fixture.topic("old")
                try expect(.topicExists, "create") {
                    let names = ["new", "old", "newer"]
                    try fixture.log.createTopics(names.map { TopicSpecification($0) })
                }
                try expect(try fixture.log.topics().map(\.name), equals: ["new", "old"], "topics")
            },
            Check("bad names and partition counts are refused") { fixture in
                let long = String(repeating: "x", count: 250)
                for name in ["", ".", "..", "a b", "a/b", "ä", "a\0", "a,b", long] {
                    try expect(.invalidRequest, "the name '\(name)'") { try fixture.topic(name) }
                }
                try expect(.invalidRequest, "0 partitions") { try fixture.topic("t", partitions: 0) }
                try expect(.invalidRequest, "-1 partitions") { try fixture.topic("t", partitions: -1) }
                try expect(try fixture.log.topics(), equals: [], "topics")
                try fixture.topic(String(long.dropLast()))
            },
            Check("a topic made anew is empty and has another identity") { fixture in
                let place = try fixture.topic("t")
                let first = try fixture.log.topic("t")?.identity
                try fixture.write(["a"], to: place)
                try fixture.log.deleteTopics(["t"])
                try expect(try fixture.log.topic("t"), equals: nil, "topic")
                try fixture.topic("t")
                try expect(first != (try fixture.log.topic("t")?.identity), "the identity is the same")
                _ = try fixture.read(0, from: place)
            },
            Check("a deleted topic is gone for its readers and writers, whoever has its name") { fixture in
                let place = try fixture.topic("t")
                try fixture.write(["a", "b"], to: place)
                let consumer = try fixture.consumer()
                _ = try consumer.assign(place, from: 1)
                let producer = try fixture.producer("tx")
                let number = try producer.number(ofTopic: "t")
                try producer.beginTransaction()
                try fixture.send(fixture.record("old"), to: place, with: producer)
                try fixture.log.deleteTopics(["t"])
                try fixture.topic("t")
                // A log that doesn't count lives may have to find out by itself, or not at all.
                guard try fixture.log.topic("t")?.life == 2 else { return }
                try fixture.write(["c", "d", "e"], to: place)
                try expect(.unknownTopic, "a reader of the old one") { _ = try consumer.poll(timeout: 0) }
                try expect(.unknownTopic, "a transaction of the old one") {
                    _ = try producer.commitTransaction(offsets: [:], group: nil)
                }
                try producer.abortTransaction()
                try expect(try producer.number(ofTopic: "t") != number, "the number is the same")
                try expect(try fixture.values(fixture.read(3, from: place)), equals: ["c", "d", "e"], "records")
            },
            Check("lives of a topic are counted, each name by itself") { fixture in
                try fixture.topic("other")
                try fixture.topic("t")
                try expect(try fixture.log.topic("t")?.life, equals: 1, "the first life")
                try fixture.log.deleteTopics(["t"])
                try fixture.topic("t")
                guard try fixture.log.topic("t")?.life != 1 else { return }
                for life: UInt64 in 2...12 {
                    try expect(try fixture.log.topic("t")?.life, equals: life, "life")
                    try fixture.log.deleteTopics(["t"])
                    try fixture.topic("t")
                }
                try expect(try fixture.log.topics().map(\.life), equals: [1, 13], "lives")
            },
            Check("a closed log says so") { fixture in
                try fixture.topic("t")
                fixture.log.close()
                fixture.log.close()
                try expect(.closed, "topics") { _ = try fixture.log.topics() }
                try expect(.closed, "makeProducer") { _ = try fixture.producer() }
                try expect(.closed, "joinGroup") { _ = try fixture.group() }
            },
        ]
    }
}
