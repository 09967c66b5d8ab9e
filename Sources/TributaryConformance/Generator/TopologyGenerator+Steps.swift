/// What is piped: late records, jumps, null keys and values, headers, time that passes.
extension TopologyGenerator {
    mutating func steps() -> [JSONValue] {
        // In half of the cases nothing is late, so that what operators forget over a restart makes no difference.
        let isInOrder = random.chance(50)
        var time = start
        let late = random.pick(10, 25, 40)
        var steps: [JSONValue] = []
        for index in 0..<Int(random.number(10...45)) {
            if random.chance(5) {
                let wait = random.pick(Int64(10), 50, 999, 1000, 2500)
                steps.append(.fields([("advanceWallClock", .integer(wait))]))
            }
            let jump = random.chance(90) ? random.number(0...7) : random.pick(Int64(30), 150, 10_000, 70_000, 1 << 41)
            time = Int64(clamping: Int128(time) + Int128(jump))
            let back = random.chance(late) ? random.number(1...40) : 0
            guard let topic = topics.randomElement(using: &random) else { break }
            let key = random.chance(5) ? nil : random.pick("a", "b", "c", "d", "a", "b")
            let isNull = random.chance(topic.isTable ? 15 : 6)
            var value = random.pick("a", "b", "c", "d", "!", "x", "a", "b")
            if random.chance(15) { value += "," }
            value += String(random.number(0...9))
            var record: [(name: String, value: JSONValue)] = [
                ("topic", .string(topic.name)), ("key", JSONValue(key)),
                ("value", isNull ? .null : .string(value)), ("ts", .integer(max(0, isInOrder ? time : time - back))),
            ]
            if random.chance(25) {
                var headers: [JSONValue] = [.array([.string("h"), .string("h\(index)")])]
                if random.chance(20) {
                    headers.append(.array([.string("g"), random.chance(20) ? .null : .string("v")]))
                }
                record.append(("headers", .array(headers)))
            }
            steps.append(.fields([("pipe", .fields(record))]))
        }
        return steps
    }
}
