public import TributaryCore
public import TributaryLineage

extension KStream {
    /// Keeps all records of some keys, chosen by the keys' bytes, and leaves out those of the others.
    ///
    /// A key is chosen if XXH3-64 of its bytes, divided by 2^64, is below `share`: the same keys in each run, application and task, and those of a
    /// smaller share are among those of a larger one. What is left out is not counted, as with a filter; records with a null key are dropped and
    /// counted.
    ///
    /// - Parameters:
    ///   - share: which part of all keys, from 0 to 1.
    ///   - named: the node's name.
    ///   - key: the keys' serde; needed if the stream lost it by changing the key.
    @inlinable
    public func sample(_ share: Double, named: String? = nil, key: Serde<Key>? = nil) -> KStream<Key, Value> {
        let name = graph.name("KSTREAM-SAMPLE-", named)
        if !(0...1).contains(share) {
            graph.fail(.invalidSetting, "'\(name)' keeps a share of \(share) of all keys: it must be from 0 to 1")
        }
        let serde = key ?? keySerde
        if needsRepartition, serde == nil {
            graph.fail(.missingSerde, "the sample '\(name)' needs a serde for keys of type \(Key.self): give key:")
        }
        let input = encoded(key: key, value: nil)
        let id = graph.add(name, parents: [node])
        let output = Output<Key, Value>()
        let chosen = KeyShare(share)
        input.output.attach(id, name) { context in
            let next = try output.sink(in: context)
            let user = UserCode(name, context.services)
            let encoder = serde.map { KeyEncoder($0, user) }
            let fresh = next.tested { meta in
                guard meta.hasKey else {
                    user.dropped(.nullKey, meta)
                    return false
                }
                return chosen.has(meta.key)
            }
            return NodeInput(
                call: { key, value, meta in
                    guard meta.keyIsStale, let encoder else { return try fresh.call(key, value, meta) }
                    try encoder.encodeAnew(key, meta) { try fresh.call(key, value, $0) }
                },
                delete: { key, meta in
                    guard meta.keyIsStale, let encoder else { return try fresh.delete(key, meta) }
                    try encoder.encodeAnew(key, meta) { try fresh.delete(key, $0) }
                }, keyless: fresh.keyless, keylessDelete: fresh.keylessDelete, bytes: fresh.bytes)
        }
        return KStream(
            graph: graph, node: id, output: output, keySerde: serde, valueSerde: valueSerde,
            needsRepartition: needsRepartition, sources: sources)
    }
}

/// A part of all keys.
@usableFromInline
struct KeyShare: Sendable {
    private let end: UInt64
    private let isAll: Bool

    @usableFromInline
    init(_ share: Double) {
        isAll = share >= 1
        end = share > 0 && share < 1 ? UInt64(share * 0x1p64) : 0
    }

    @usableFromInline
    func has(_ key: RawSpan) -> Bool { isAll || checksum64(key) < end }
}
