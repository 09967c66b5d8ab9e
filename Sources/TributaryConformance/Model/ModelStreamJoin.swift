extension ModelBuilder {
    /// A join of two streams: the nodes that keep records, and a merge behind.
    mutating func addStreamJoin(_ statement: Statement) throws {
        let isNamed = try statement.name != nil
        let left = joinInput(try stream(statement), isNamed: isNamed)
        let right = joinInput(try known(streams[try statement.secondInput], statement), isNamed: isNamed)
        let join = try ModelStreamJoin(statement)
        let one = child(of: left) { node, record in try join.take(record, isLeft: true) { try node.send($0) } }
        let other = child(of: right) { node, record in try join.take(record, isLeft: false) { try node.send($0) } }
        let made = node(one, other)
        for side in [one, other] { side.add(made) { [unowned made] in try made.send($0) } }
        if join.kind != "inner" { leftJoins += [one, other] }
        try keep(made, statement)
    }

    /// A stream as joins read it: behind a repartition topic, which unnamed joins share, if its keys were changed.
    mutating func joinInput(_ stream: ModelNode, isNamed: Bool) -> ModelNode {
        guard stream.needsRepartition else { return stream }
        if !isNamed, let shared = stream.joinRepartition { return shared }
        let made = repartitioned(stream)
        if !isNamed { stream.joinRepartition = made }
        return made
    }
}

/// A join of two streams in the model: two lists of records, and one of those that wait.
final class ModelStreamJoin {
    private struct Kept {
        var key: CaseKey
        var value: CaseValue
        var time: Int64
        var isLeft: Bool
        var number: Int
    }

    let kind: String
    private let joiner: JoinerFunction
    private let before: Int64
    private let after: Int64
    private let grace: Int64
    private let isEager: Bool
    private let isInMemory: Bool
    private let retention: Int64
    private var kept: [Kept] = []
    private var waiting: [Kept] = []
    private var number = 0
    private var time: Int64 = -1
    private var minimum = Int64.max
    // The greatest time in each side's store.
    private var storeTimes: (left: Int64, right: Int64) = (-1, -1)

    init(_ statement: Statement) throws {
        kind = try statement.fields.requiredText("type")
        joiner = try statement.joiner
        let window = try statement.fields.requiredFields("window")
        if let difference = try window.integer("deprecatedMs") {
            isEager = true
            before = difference
            after = difference
            grace = max(86_400_000 - 2 * difference, 0)
        } else {
            isEager = false
            before = try window.requiredInteger("beforeMs")
            after = try window.requiredInteger("afterMs")
            grace = try window.integer("graceMs") ?? 0
        }
        retention = Int64(clamping: Int128(before) + Int128(after) + Int128(grace))
        let store = try statement.fields.text("store")
        isInMemory = store == "inMemory" || store == "supplier:inMemory"
    }

    private func standsAlone(_ isLeft: Bool) -> Bool { kind == "outer" || kind == "left" && isLeft }

    private func alone(_ record: Kept) -> CaseValue {
        record.isLeft ? joiner(record.key, record.value, .null) : joiner(record.key, .null, record.value)
    }

    func take(_ record: ModelRecord, isLeft: Bool, _ send: (ModelRecord) throws -> Void) throws {
        time = max(time, record.time)
        try join(record, isLeft, send)
        guard record.key != .null else { return }
        let storeTime = isLeft ? storeTimes.left : storeTimes.right
        if record.value != .null || isInMemory {
            let new = max(storeTime, record.time)
            if isLeft { storeTimes.left = new } else { storeTimes.right = new }
        }
        guard record.value != .null else { return }
        number += 1
        kept.append(
            Kept(key: record.key, value: record.value, time: record.time, isLeft: isLeft, number: number))
    }

    private func join(_ record: ModelRecord, _ isLeft: Bool, _ send: (ModelRecord) throws -> Void) throws {
        guard record.value != .null else { return }
        number += 1
        let own = Kept(key: record.key, value: record.value, time: record.time, isLeft: isLeft, number: number)
        guard record.key != .null else {
            if standsAlone(isLeft) { try send(record.with(value: alone(own))) }
            return
        }
        if record.time == time { try emit(isLeft, record, send) }
        let back = isLeft ? before : after
        let ahead = isLeft ? after : before
        let first = max(Int64(clamping: Int128(record.time) - Int128(back)), 0)
        let last = max(Int64(clamping: Int128(record.time) + Int128(ahead)), 0)
        let otherTime = isLeft ? storeTimes.right : storeTimes.left
        // There is no later time than the greatest, which no sum goes beyond.
        let visible =
            otherTime < 0 ? Int128(Int64.min) : min(Int128(otherTime) - Int128(retention) + 1, Int128(Int64.max))
        let matches = kept.filter { other in
            other.isLeft != isLeft && other.key == record.key && (first...max(first, last)).contains(other.time)
                && first <= last && Int128(other.time) >= visible
        }.sorted { ($0.time, $0.number) < ($1.time, $1.number) }
        for match in matches {
            if standsAlone(!isLeft) {
                waiting.removeAll { $0.isLeft != isLeft && $0.key == record.key && $0.time == match.time }
            }
            let value =
                isLeft
                ? joiner(record.key, record.value, match.value) : joiner(record.key, match.value, record.value)
            try send(
                ModelRecord(
                    key: record.key, value: value, time: max(record.time, match.time), headers: record.headers))
        }
        guard matches.isEmpty, standsAlone(isLeft) else { return }
        guard !isEager, last >= time else { return try send(record.with(value: alone(own))) }
        minimum = min(minimum, record.time)
        waiting.append(own)
    }

    // In the order of time, then right before left, then of keys' bytes; the sums wrap as Kafka Streams' do.
    private func emit(_ isLeft: Bool, _ record: ModelRecord, _ send: (ModelRecord) throws -> Void) throws {
        guard kind != "inner", !isEager, minimum &+ (isLeft ? after : before) &+ grace < time else { return }
        minimum = .max
        waiting.sort { one, other in
            (one.time, one.isLeft ? 1 : 0) != (other.time, other.isLeft ? 1 : 0)
                ? (one.time, one.isLeft ? 1 : 0) < (other.time, other.isLeft ? 1 : 0)
                : one.key != other.key
                    ? (one.key.innerKey ?? "").utf8.lexicographicallyPrecedes((other.key.innerKey ?? "").utf8)
                    : one.number < other.number
        }
        var isOpen = (left: false, right: false)
        var emitted: Set<Int> = []
        var last: Kept?
        for entry in waiting {
            // Those of one time, side and key are one row.
            let isOfRow =
                last.map { $0.time == entry.time && $0.isLeft == entry.isLeft && $0.key == entry.key } ?? false
            last = entry
            minimum = entry.time
            if isOpen.left && isOpen.right && !isOfRow { break }
            guard entry.time &+ (entry.isLeft ? after : before) &+ grace < time else {
                if entry.isLeft { isOpen.left = true } else { isOpen.right = true }
                continue
            }
            emitted.insert(entry.number)
            try send(ModelRecord(key: entry.key, value: alone(entry), time: entry.time, headers: record.headers))
        }
        waiting.removeAll { emitted.contains($0.number) }
    }
}
