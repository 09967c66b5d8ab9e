public import TributaryCore

extension TopologyGraph {
    /// Notes that something needs serdes which neither its caller gave nor the types name.
    @usableFromInline
    func failWithoutSerde<Key, Value>(_ user: String, _ key: Serde<Key>?, _ value: Serde<Value>?) {
        var missing: [String] = []
        if key == nil { missing.append("keys of type \(Key.self): give key:") }
        if value == nil { missing.append("values of type \(Value.self): give value:") }
        fail(
            .missingSerde,
            "\(user) needs a serde for \(missing.joined(separator: ", and for ")), where it is made or before, "
                + "or let the type name its own (Recordable)")
    }
}
