/// A value that reads itself from JSON in one pass, without `Codable`: three times as fast.
///
/// Write `init(json:)` by hand, and decode with `FastJSONDecoder.read(_:from:)`:
///
/// ```swift
/// extension Account: JSONReadable {
///     init(json: inout JSONInput) throws {
///         var id: Int64?
///         var owner: String?
///         try json.beginObject()
///         while try json.nextMember() {
///             if json.hasKey("id") {
///                 id = try json.read()
///             } else if json.hasKey("owner") {
///                 owner = try json.read()
///             } else {
///                 try json.skip()
///             }
///         }
///         self.init(id: try json.required(id, "id"), owner: try json.required(owner, "owner"))
///     }
/// }
/// ```
///
/// The text is checked as strictly as `FastJSONDecoder.decode(_:from:)` checks it. Options have no effect, errors name a
/// byte but no coding path, and of members with one key such an initializer takes the last one.
public protocol JSONReadable {
    /// Reads one value, all of it.
    ///
    /// - Throws: What the methods of `json` throw, or an error of its own.
    init(json: inout JSONInput) throws
}

/// A value that writes itself as JSON in one pass, without `Codable`: three times as fast.
///
/// Write `write(json:)` by hand, and encode with ``FastJSONEncoder/write(_:into:)``. Members stand in the order in which they
/// are written: in the order of their keys, equal values are the bytes of an encoder with sorted keys.
///
/// ```swift
/// extension Account: JSONWritable {
///     func write(json: inout JSONOutput) {
///         json.beginObject()
///         json.member("id", id)
///         json.member("owner", owner)
///         json.endObject()
///     }
/// }
/// ```
public protocol JSONWritable {
    /// Writes the value, as one JSON value.
    func write(json: inout JSONOutput)
}

extension FastJSONDecoder {
    /// Reads one value from `bytes`, one JSON text of less than 4 GB; options have no effect.
    ///
    /// - Throws: `DecodingError` with the byte offset in its description, or what the type's initializer throws.
    public func read<Value: JSONReadable>(_ type: Value.Type, from bytes: RawSpan) throws -> Value {
        try bytes.withInput { (input) throws in
            try withState(input) { (state) throws in
                let input = state.input.value
                do {
                    var json = unsafe JSONInput(state, input, state.begin(input))
                    let value = try Value(json: &json)
                    try state.finish(input, json.end)
                    return value
                } catch let fault as JSONFault { throw fault.error }
            }
        }
    }

    /// Reads one value from `bytes`; the same as from a span.
    public func read<Value: JSONReadable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
        try unsafe read(type, from: bytes.span.bytes)
    }
}

extension FastJSONEncoder {
    /// Writes `value` as one JSON text; options have no effect.
    ///
    /// - Throws: `EncodingError.invalidValue` if the value writes nothing, more than one value or an unfinished one, nests
    ///   deeper than 511, is longer than 2 GB or holds a number that JSON hasn't.
    public func write(_ value: some JSONWritable) throws -> [UInt8] {
        try withState { (state) throws in
            try write(value, state)
            return state.texts.input.array
        }
    }

    /// Writes `value` as one JSON text, and lends it to `body`: nothing is copied.
    ///
    /// - Throws: As the other method, or what `body` throws.
    public func write(_ value: some JSONWritable, into body: (RawSpan) throws -> Void) throws {
        try withState { (state) throws in
            try write(value, state)
            try state.texts.withBytes(body)
        }
    }

    private func write(_ value: some JSONWritable, _ state: EncodingState) throws {
        state.texts.removeAll()
        var json = JSONOutput(state)
        value.write(json: &json)
        if let fault = json.finish() { throw invalid(value, fault) }
    }
}
