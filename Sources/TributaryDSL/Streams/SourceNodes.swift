public import TributaryCore
public import TributaryLineage

/// Adds the typed top of a sub-topology: decodes what the nodes below ask for, and no more.
///
/// Null keys of a type that has no null are dropped and counted. One that `fills` a store shares its topic with no other.
@inlinable
func addSourceNode<Key, Value>(
    _ graph: TopologyGraph, _ node: Int, topics: [String], pattern: TopicPattern? = nil, name: String, isTable: Bool,
    isGlobal: Bool = false, fills: Bool = false,
    _ settings: SourceSettings, output: Output<Key, Value>, key: Serde<Key>, value: Serde<Value>
) {
    let nullKey = Nullability<Key>.of()
    let nullValue = Nullability<Value>.of()
    // A table drops null keys itself, where it keeps what it takes.
    let takesNull = nullKey != nil || isTable
    graph.addSource(
        node, topics: topics, pattern: pattern, isTable: isTable || fills, isGlobal: isGlobal, settings,
        accepts: { (try? key.check($0)) != nil && (try? value.check($1)) != nil }
    ) { context in
        let next = try output.sink(in: context)
        let services = context.services
        let validateKey = key.validate
        let validateValue = value.validate
        if let bytes = next.bytes {
            return SourceEntry { content, meta in
                guard meta.hasKey || takesNull else { return services.dropped(.nullKey, node: name, meta) }
                do {
                    if meta.hasKey { try validateKey?(meta.key) }
                    if let content { try validateValue?(content) }
                } catch {
                    return try services.deserializationFailed(node: name, error, meta)
                }
                try bytes(content, meta)
            }
        }
        if let keyless = next.keyless, let keylessDelete = next.keylessDelete {
            return SourceEntry { content, meta in
                let decoded: Value?
                guard meta.hasKey || takesNull else { return services.dropped(.nullKey, node: name, meta) }
                do {
                    if meta.hasKey { try validateKey?(meta.key) }
                    if let content {
                        decoded = try value.decode(content)
                    } else if let nullValue, !isTable {
                        decoded = nullValue.null()
                    } else {
                        decoded = nil
                    }
                } catch {
                    return try services.deserializationFailed(node: name, error, meta)
                }
                if let decoded { try keyless(decoded, meta) } else { try keylessDelete(meta) }
            }
        }
        return SourceEntry { content, meta in
            let record: Key
            var decoded: Value?
            do {
                if meta.hasKey {
                    record = try key.decode(meta.key)
                } else if let nullKey {
                    record = nullKey.null()
                } else {
                    return services.dropped(.nullKey, node: name, meta)
                }
                if let content {
                    decoded = try value.decode(content)
                } else if let nullValue, !isTable {
                    decoded = nullValue.null()
                } else {
                    decoded = nil
                }
            } catch {
                return try services.deserializationFailed(node: name, error, meta)
            }
            if let decoded { try next.call(record, decoded, meta) } else { try next.delete(record, meta) }
        }
    }
}

extension TopologyGraph {
    @usableFromInline
    func addSource(
        _ node: Int, topics: [String], pattern: TopicPattern?, isTable: Bool, isGlobal: Bool = false,
        _ settings: SourceSettings, accepts: @escaping @Sendable (RawSpan?, RawSpan?) -> Bool,
        _ make: @escaping @Sendable (NodeContext) throws -> SourceEntry
    ) {
        addSource(
            SourceNode(
                node: node, topics: topics, pattern: pattern, isTable: isTable, isGlobal: isGlobal, settings: settings,
                accepts: accepts, make: make))
    }
}

extension Serde {
    /// Throws what decoding bytes would; null is always right.
    @usableFromInline
    func check(_ bytes: RawSpan?) throws {
        guard let bytes else { return }
        if let validate { return try validate(bytes) }
        _ = try decode(bytes)
    }
}
