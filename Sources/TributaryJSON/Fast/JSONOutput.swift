/// A JSON text that a ``JSONWritable`` writes from front to back; commas and colons come of themselves.
///
/// What is wrong, as an object that doesn't end or a NaN, is kept and thrown when the whole text is done.
public struct JSONOutput: ~Copyable {
    private let state: EncodingState
    private var depth = 0
    private var needsComma = false
    private var isAfterKey = false
    // A bit a level, set for an object: 512 of them, the outermost first.
    private var objects = InlineArray<8, UInt64>(repeating: 0)
    private var fault: StaticString?

    init(_ state: EncodingState) { self.state = state }

    /// Begins an object.
    public mutating func beginObject() { begin(UInt8(ascii: "{"), isObject: true) }

    /// Ends the object that was begun last.
    public mutating func endObject() { end(UInt8(ascii: "}"), isObject: true) }

    /// Begins an array.
    public mutating func beginArray() { begin(UInt8(ascii: "["), isObject: false) }

    /// Ends the array that was begun last.
    public mutating func endArray() { end(UInt8(ascii: "]"), isObject: false) }

    /// Writes a key; its value comes next.
    public mutating func key(_ key: StaticString) { append(key: RawInput(key)) }

    /// Writes a key that is known at run time only; its value comes next.
    public mutating func key(_ key: String) {
        let state = state
        prepareKey()
        RawInput.withUTF8(of: key) { state.appendKey($0) }
        isAfterKey = true
    }

    /// Writes a key and its value.
    @inlinable
    public mutating func member(_ key: StaticString, _ value: some JSONWritable) {
        self.key(key)
        value.write(json: &self)
    }

    /// Writes a value: an element of an array, after a key, or the whole text.
    @inlinable
    public mutating func write(_ value: some JSONWritable) { value.write(json: &self) }

    /// Writes a null.
    public mutating func writeNull() {
        prepareValue()
        state.appendNull()
    }

    /// What is wrong with the whole text.
    consuming func finish() -> StaticString? {
        if let fault { return fault }
        if depth != 0 { return "doesn't end an object or array" }
        if state.texts.count >= Int(UInt32.max) >> 1 { return "becomes too long" }
        return needsComma ? nil : "writes nothing"
    }

    mutating func append(_ value: Bool) {
        prepareValue()
        state.append(value)
    }

    mutating func append(_ value: String) {
        prepareValue()
        state.append(value)
    }

    @inline(__always)
    mutating func append<Value: FixedWidthInteger>(integer value: Value) {
        prepareValue()
        state.append(integer: value)
    }

    mutating func append(_ value: Double) {
        prepareValue()
        if value.isFinite { state.append(value) } else { fail("holds a number that JSON hasn't") }
    }

    mutating func append(_ value: Float) {
        prepareValue()
        if value.isFinite { state.append(value) } else { fail("holds a number that JSON hasn't") }
    }

    @inline(never)
    private mutating func fail(_ message: StaticString) { if fault == nil { fault = message } }

    @inline(__always)
    private var isInObject: Bool { depth > 0 && objects[(depth &- 1) &>> 6 & 7] &>> UInt64((depth &- 1) & 63) & 1 == 1 }

    @inline(__always)
    private mutating func prepareValue() {
        if isInObject != isAfterKey || depth == 0 && needsComma { fail("writes keys and values out of order") }
        if needsComma { state.texts.append(UInt8(ascii: ",")) }
        needsComma = true
        isAfterKey = false
    }

    @inline(__always)
    private mutating func prepareKey() {
        if !isInObject || isAfterKey { fail("writes keys and values out of order") }
        if needsComma { state.texts.append(UInt8(ascii: ",")) }
        needsComma = false
        isAfterKey = true
    }

    private mutating func append(key: RawInput) {
        prepareKey()
        state.appendKey(key)
    }

    private mutating func begin(_ bracket: UInt8, isObject: Bool) {
        prepareValue()
        state.texts.append(bracket)
        guard depth < 511 else { return fail("nests too deep") }
        let bit: UInt64 = 1 &<< UInt64(depth & 63)
        if isObject { objects[depth &>> 6 & 7] |= bit } else { objects[depth &>> 6 & 7] &= ~bit }
        depth &+= 1
        needsComma = false
    }

    private mutating func end(_ bracket: UInt8, isObject: Bool) {
        guard depth > 0, isInObject == isObject, !isAfterKey else {
            return fail("ends what was not begun")
        }
        state.texts.append(bracket)
        depth &-= 1
        needsComma = true
    }
}
