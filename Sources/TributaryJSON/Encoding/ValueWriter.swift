/// The encoder of one node, and its own single value container: 16 bytes, so that no existential has to box it.
struct ValueWriter: Encoder, SingleValueEncodingContainer {
    let state: EncodingState
    let index: Int

    var codingPath: [any CodingKey] { state.path(of: index) }
    var userInfo: [CodingUserInfoKey: Any] { state.options.userInfo }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        state.open(index, as: .object)
        return state.keyed(type, index)
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        state.open(index, as: .array)
        return UnkeyedWriter(state: state, index: index)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { self }

    func encodeNil() throws { state.setNull(index) }
    func encode(_ value: Bool) throws { state.set(value, index) }
    func encode(_ value: String) throws { state.set(value, index) }
    func encode(_ value: Double) throws { try state.encode(double: value, at: index) }
    func encode(_ value: Float) throws { try state.encode(float: value, at: index) }
    func encode(_ value: Int) throws { state.set(value, index) }
    func encode(_ value: Int8) throws { state.set(value, index) }
    func encode(_ value: Int16) throws { state.set(value, index) }
    func encode(_ value: Int32) throws { state.set(value, index) }
    func encode(_ value: Int64) throws { state.set(value, index) }
    @available(macOS 15.0, *)
    func encode(_ value: Int128) throws { state.set(value, index) }
    func encode(_ value: UInt) throws { state.set(value, index) }
    func encode(_ value: UInt8) throws { state.set(value, index) }
    func encode(_ value: UInt16) throws { state.set(value, index) }
    func encode(_ value: UInt32) throws { state.set(value, index) }
    func encode(_ value: UInt64) throws { state.set(value, index) }
    @available(macOS 15.0, *)
    func encode(_ value: UInt128) throws { state.set(value, index) }
    func encode<Value: Encodable>(_ value: Value) throws { try state.encode(value, at: index) }
}
