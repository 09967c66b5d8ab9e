public import TributaryCore
public import TributaryLineage
public import TributaryState

/// The buffer of a join with a table, and how long records wait there, ms of stream time.
@usableFromInline
struct JoinWait: Sendable {
    @usableFromInline let store: String
    @usableFromInline let grace: Int64
}

extension TopologyGraph {
    /// Checks how long records wait for a join, and adds the buffer in which they do.
    @usableFromInline
    func addJoinBuffer(
        _ join: String, _ grace: Duration, history: Int64?, _ key: String?, _ value: String?, node: Int, isNamed: Bool
    ) -> JoinWait {
        let time = grace.milliseconds
        if time < 0 { fail(.invalidSetting, "the join '\(join)' has a grace of \(time) ms: it can't be below 0") }
        guard let history else {
            fail(
                .invalidSetting,
                "the join '\(join)' has a grace, for which its table has to keep versions: give it the type .versioned(history:)"
            )
            return JoinWait(store: "", grace: 0)
        }
        if history < time {
            fail(
                .invalidSetting,
                "the join '\(join)' has a grace of \(time) ms, but its table keeps versions for \(history) ms only: lower the "
                    + "one, or raise the other")
        }
        var description = StoreDescription(name: "\(join)-Buffer", kind: .joinBuffer)
        description.hasGeneratedName = !isNamed
        description.serdes = "\(key ?? "?") \(value ?? "?")"
        addStore(description)
        connect(description.name, to: node)
        return JoinWait(store: description.name, grace: time)
    }
}

/// The receiving end of a join whose records wait first.
@inlinable
func waitingInput<Key, Value>(
    _ join: NodeInput<Key, Value>, _ buffer: JoinBuffer, _ user: UserCode, _ key: Serde<Key>, _ value: Serde<Value>,
    keepsNullKeys: Bool
) -> NodeInput<Key, Value> {
    let nulls = Nullability<Value>.of()
    let scratch = ScratchBuffer()
    return NodeInput(
        call: { record, content, meta in
            if let nulls, nulls.isNull(content) { return user.dropped(.nullValue, meta) }
            guard meta.hasKey else {
                if !keepsNullKeys { return user.dropped(.nullKey, meta) }
                // As in Kafka Streams: where it would lie in the buffer nobody can say.
                return try user.failed(JoinNeedsKey(node: user.node), meta)
            }
            let bytes = scratch.take()
            defer { scratch.give(bytes) }
            let waits: Bool
            do {
                try value.encode(content, &bytes.writer)
                waits = try buffer.put(bytes.bytes, meta)
            } catch {
                return try user.failed(error, meta)
            }
            guard waits else { return try join.call(record, content, meta) }
            try buffer.emitDue(because: meta) { kept, meta in
                let record: Key
                let content: Value
                do {
                    record = try key.decode(meta.key)
                    content = try value.decode(kept)
                } catch {
                    return try user.failed(error, meta)
                }
                try join.call(record, content, meta)
            }
        },
        delete: join.delete)
}

/// A record without key came to a join with a grace that keeps records without match: it can't wait.
public struct JoinNeedsKey: Error, Equatable, CustomStringConvertible {
    /// The node.
    public let node: String

    @usableFromInline
    init(node: String) { self.node = node }

    /// One sentence.
    public var description: String {
        "a record without key can't wait for the join '\(node)': filter such records out before it, or join without grace"
    }
}
