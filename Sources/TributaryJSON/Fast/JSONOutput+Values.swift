extension Bool: JSONWritable {
    /// Writes true or false.
    public func write(json: inout JSONOutput) { json.append(self) }
}

extension String: JSONWritable {
    /// Writes the text with its escapes.
    public func write(json: inout JSONOutput) { json.append(self) }
}

extension Double: JSONWritable {
    /// Writes the fewest digits that are read as the same number.
    public func write(json: inout JSONOutput) { json.append(self) }
}

extension Float: JSONWritable {
    /// Writes the fewest digits that are read as the same number.
    public func write(json: inout JSONOutput) { json.append(self) }
}

extension Int: JSONWritable {
    /// Writes the digits.
    public func write(json: inout JSONOutput) { json.append(integer: self) }
}

extension Int8: JSONWritable {
    /// Writes the digits.
    public func write(json: inout JSONOutput) { json.append(integer: self) }
}

extension Int16: JSONWritable {
    /// Writes the digits.
    public func write(json: inout JSONOutput) { json.append(integer: self) }
}

extension Int32: JSONWritable {
    /// Writes the digits.
    public func write(json: inout JSONOutput) { json.append(integer: self) }
}

extension Int64: JSONWritable {
    /// Writes the digits.
    public func write(json: inout JSONOutput) { json.append(integer: self) }
}

extension UInt: JSONWritable {
    /// Writes the digits.
    public func write(json: inout JSONOutput) { json.append(integer: self) }
}

extension UInt8: JSONWritable {
    /// Writes the digits.
    public func write(json: inout JSONOutput) { json.append(integer: self) }
}

extension UInt16: JSONWritable {
    /// Writes the digits.
    public func write(json: inout JSONOutput) { json.append(integer: self) }
}

extension UInt32: JSONWritable {
    /// Writes the digits.
    public func write(json: inout JSONOutput) { json.append(integer: self) }
}

extension UInt64: JSONWritable {
    /// Writes the digits.
    public func write(json: inout JSONOutput) { json.append(integer: self) }
}

@available(macOS 15.0, *)
extension Int128: JSONWritable {
    /// Writes the digits.
    public func write(json: inout JSONOutput) { json.append(integer: self) }
}

@available(macOS 15.0, *)
extension UInt128: JSONWritable {
    /// Writes the digits.
    public func write(json: inout JSONOutput) { json.append(integer: self) }
}

extension Optional: JSONWritable where Wrapped: JSONWritable {
    /// Writes the value, or null.
    @inlinable
    public func write(json: inout JSONOutput) {
        if let self { self.write(json: &json) } else { json.writeNull() }
    }
}

extension Array: JSONWritable where Element: JSONWritable {
    /// Writes an array.
    @inlinable
    public func write(json: inout JSONOutput) {
        json.beginArray()
        for element in self { element.write(json: &json) }
        json.endArray()
    }
}

/// Members in the order of their keys, as Swift compares them.
extension Dictionary: JSONWritable where Key == String, Value: JSONWritable {
    /// Writes an object.
    @inlinable
    public func write(json: inout JSONOutput) {
        json.beginObject()
        for (key, value) in sorted(by: { $0.key < $1.key }) {
            json.key(key)
            value.write(json: &json)
        }
        json.endObject()
    }
}
