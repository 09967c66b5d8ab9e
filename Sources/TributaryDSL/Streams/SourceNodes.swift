public import TributaryCore
public import TributaryLineage

/// Adds the typed top of a sub-topology: decodes what the nodes below ask for, and no more.
@inlinable
func addSourceNode<Key, Value>(
    _ graph: TopologyGraph, _ node: Int, topics: [String], name: String, isTable: Bool,
    timestamps: TimestampExtractor?, output: Output<Key, Value>, key: Serde<Key>, value: Serde<Value>
) {
    let nullKey = Nullability<Key>.of()
    let nullValue = Nullability<Value>.of()
    graph.addSource(node, topics: topics, isTable: isTable, timestamps: timestamps) { context in
        let next = try output.sink(in: context)
        let services = context.services
        let validateKey = key.validate
        let validateValue = value.validate
        if let bytes = next.bytes {
            return SourceEntry { content, meta in
                do throws(SerdeError) {
                    try checkKey(meta, validateKey, key.name, takesNull: nullKey != nil || isTable)
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
                do throws(SerdeError) {
                    try checkKey(meta, validateKey, key.name, takesNull: nullKey != nil || isTable)
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
            do throws(SerdeError) {
                if meta.hasKey {
                    record = try key.decode(meta.key)
                } else if let nullKey {
                    record = nullKey.null()
                } else {
                    throw .nullKey(key.name)
                }
                if let content {
                    decoded = try value.decode(content)
                } else if let nullValue, !isTable {
                    decoded = nullValue.null()
                } else {
                    decoded = nil
                }
            } catch {
                if isTable && !meta.hasKey { return services.dropped(.nullKey, node: name, meta) }
                return try services.deserializationFailed(node: name, error, meta)
            }
            if let decoded { try next.call(record, decoded, meta) } else { try next.delete(record, meta) }
        }
    }
}

@inlinable
@inline(__always)
func checkKey(
    _ meta: borrowing RecordMeta, _ validate: (@Sendable (RawSpan) throws(SerdeError) -> Void)?, _ serde: String,
    takesNull: Bool
) throws(SerdeError) {
    if meta.hasKey { try validate?(meta.key) } else if !takesNull { throw .nullKey(serde) }
}

extension SerdeError {
    @usableFromInline
    static func nullKey(_ serde: String) -> SerdeError {
        SerdeError(
            .unexpectedNull, serde: serde,
            "a null key where the key's type has no null: declare it as optional (key: .\(serde).optional)")
    }
}

extension TopologyGraph {
    @usableFromInline
    func addSource(
        _ node: Int, topics: [String], isTable: Bool, timestamps: TimestampExtractor?,
        _ make: @escaping @Sendable (NodeContext) throws -> SourceEntry
    ) {
        addSource(SourceNode(node: node, topics: topics, isTable: isTable, timestamps: timestamps, make: make))
    }
}
