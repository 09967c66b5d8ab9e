internal import TributaryCore
internal import TributaryDSL
internal import TributaryState

// Joins of two streams of an interpreted topology.
extension StreamHandle {
    func join(_ statement: Statement, _ other: any StreamObject) throws -> any StreamObject {
        if let other = other as? StreamHandle<Key, CaseValue> { return try join(statement, other.stream) }
        if let other = other as? StreamHandle<Key, Int64> { return try join(statement, other.stream) }
        throw CaseError("the streams have keys of different types").inside("in2")
    }

    private func join<Other: CaseValueType>(
        _ statement: Statement, _ other: KStream<Key, Other>
    ) throws -> any StreamObject {
        let joiner = try statement.joiner
        let windows = try statement.joinWindows
        let settings: StreamJoined<Key, Value, Other> = try settings(statement, windows)
        let joined: KStream<Key, CaseValue>
        switch try statement.fields.requiredText("type") {
        case "inner":
            joined = stream.joinWithKey(other, within: windows, joined: settings, result: .caseText) {
                key, left, right in joiner(key, left.caseValue, right.caseValue)
            }
        case "left":
            joined = stream.leftJoinWithKey(other, within: windows, joined: settings, result: .caseText) {
                key, left, right in joiner(key, left.caseValue, right?.caseValue ?? .null)
            }
        case "outer":
            joined = stream.outerJoinWithKey(other, within: windows, joined: settings, result: .caseText) {
                key, left, right in joiner(key, left?.caseValue ?? .null, right?.caseValue ?? .null)
            }
        case let other: throw CaseError("there is no join '\(other)' of two streams").inside("type")
        }
        return StreamHandle<Key, CaseValue>(stream: joined, key: key, keyFormat: keyFormat)
    }

    private func settings<Other: CaseValueType>(
        _ statement: Statement, _ windows: JoinWindows
    ) throws -> StreamJoined<Key, Value, Other> {
        let fields = statement.fields
        let name = try fields.text("storeName")
        var settings = StreamJoined<Key, Value, Other>(
            named: try statement.name, as: name, key: key, left: value, right: Other.serde,
            logging: try fields.bool("log") ?? true)
        switch try fields.text("store") {
        case nil: break
        case "inMemory": settings.type = .inMemory
        case let store? where store.hasPrefix("supplier:"):
            guard let name else { throw CaseError("stores by supplier need a name").inside("storeName") }
            let size = windows.before.milliseconds + windows.after.milliseconds
            let kind = StoreDescription.Kind.window(
                retention: try fields.integer("storeRetentionMs") ?? size + windows.grace.milliseconds, size: size,
                retainsDuplicates: true, timestamped: false)
            let isPersistent = store == "supplier:persistent"
            settings.leftStore = StoreDescription(name: "\(name)-a", kind: kind, isPersistent: isPersistent)
            settings.rightStore = StoreDescription(name: "\(name)-b", kind: kind, isPersistent: isPersistent)
        case let other?: throw CaseError("there is no store '\(other)' for a join").inside("store")
        }
        return settings
    }
}

extension Statement {
    /// The windows of a join of streams.
    fileprivate var joinWindows: JoinWindows {
        get throws {
            let window = try fields.requiredFields("window")
            if let difference = try window.integer("deprecatedMs") { return .eager(.milliseconds(difference)) }
            return .between(
                before: .milliseconds(try window.requiredInteger("beforeMs")),
                after: .milliseconds(try window.requiredInteger("afterMs")),
                grace: .milliseconds(try window.integer("graceMs") ?? 0))
        }
    }
}
