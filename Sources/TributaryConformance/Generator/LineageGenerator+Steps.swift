extension LineageGenerator {
    mutating func steps() -> [JSONValue] {
        var offsets: [String: Int64] = [:]
        var time: Int64 = 5
        var steps: [JSONValue] = []
        for _ in 0..<random.number(8...40) {
            guard let topic = topics.randomElement(using: &random) else { break }
            let offset = offsets[topic, default: 0]
            offsets[topic] = offset + 1
            time += random.number(0...6)
            let late = random.chance(20) ? random.number(1...25) : 0
            let letter = random.pick("a", "b", "c", "d")
            // A stream's null has a cell and no token: it would tell nothing.
            let isNull = tableTopics.contains(topic) && random.chance(20)
            let key = random.chance(5) ? nil : random.pick("a", "b", "c")
            steps.append(
                step(topic, key, isNull ? nil : "\(letter)[\(topic):\(offset)]", at: max(0, time - late)))
        }
        return steps
    }

    /// The same with more keys, and with times at the ends of time.
    mutating func wideSteps() -> [JSONValue] {
        let keys = random.chance(50) ? ["a", "b", "c"] : ["a", "aa", "b", "bb", "c", "d", "e", "f", "g"]
        var time = random.chance(60) ? 5 : random.pick(Int64(0), 1 << 40, Int64.max - 70_000, Int64.max - 60, Int64.max)
        var offsets: [String: Int64] = [:]
        var steps: [JSONValue] = []
        for _ in 0..<random.number(8...40) {
            guard let topic = topics.randomElement(using: &random) else { break }
            let offset = offsets[topic, default: 0]
            offsets[topic] = offset + 1
            let jump = random.chance(90) ? random.number(0...6) : random.pick(Int64(100), 10_000, 70_000, 1 << 41)
            time = Int64(clamping: Int128(time) + Int128(jump))
            let late = random.chance(20) ? random.number(1...25) : 0
            let letter = random.pick("a", "b", "c", "d")
            let isNull = tableTopics.contains(topic) && random.chance(20)
            let key = random.chance(5) ? nil : keys.randomElement(using: &random)
            steps.append(
                step(topic, key, isNull ? nil : "\(letter)[\(topic):\(offset)]", at: max(0, time - late)))
        }
        return steps
    }

    private func step(_ topic: String, _ key: String?, _ value: String?, at time: Int64) -> JSONValue {
        .fields([
            (
                "pipe",
                .fields([
                    ("topic", .string(topic)), ("key", JSONValue(key)), ("value", JSONValue(value)),
                    ("ts", .integer(time)),
                ])
            )
        ])
    }
}
