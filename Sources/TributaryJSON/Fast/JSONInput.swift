/// A JSON text that a ``JSONReadable`` reads from front to back.
///
/// Each method begins where the last one ended. Views the caller's bytes, so that it ends with the call.
public struct JSONInput: ~Copyable, ~Escapable {
    let state: DecodingState
    let input: ScanInput
    var end: Int
    private var depth = 0
    // True from the begin of an object or array to its first member or element.
    private var isFresh = false
    private var keyToken = Token(kind: .key, start: 0)

    /// Views `input`, which must outlive the value.
    @_lifetime(immortal)
    @unsafe init(_ state: DecodingState, _ input: ScanInput, _ start: Int) {
        self.state = state
        self.input = input
        end = start
    }

    /// Reads a value of the type that is asked for.
    @inlinable
    public mutating func read<Value: JSONReadable>(_ type: Value.Type = Value.self) throws -> Value {
        try Value(json: &self)
    }

    /// Goes into an object; ``nextMember()`` then leads from member to member.
    public mutating func beginObject() throws { try begin(UInt8(ascii: "{"), "an object") }

    /// Goes into an array; ``nextElement()`` then leads from element to element.
    public mutating func beginArray() throws { try begin(UInt8(ascii: "["), "an array") }

    /// Reads the next key, which ``hasKey(_:)`` compares, or the end of the object, which is false.
    ///
    /// The member's value must be read or skipped before the next call.
    public mutating func nextMember() throws -> Bool {
        do throws(JSONFault) {
            guard try next(UInt8(ascii: "}"), "in an object") else { return false }
            guard input[end] == UInt8(ascii: "\"") else {
                throw state.unexpected(input, end, "where a key should begin")
            }
            (keyToken, end) = try state.scanString(input, end &+ 1, kind: .key)
            end = state.skipSpace(input, end)
            guard input[end] == UInt8(ascii: ":") else { throw state.unexpected(input, end, "after a key") }
            end = state.skipSpace(input, end &+ 1)
            return true
        } catch { throw error.error }
    }

    /// Goes to the next element, or reads the end of the array, which is false.
    ///
    /// The element must be read or skipped before the next call.
    public mutating func nextElement() throws -> Bool {
        do throws(JSONFault) { return try next(UInt8(ascii: "]"), "in an array") } catch { throw error.error }
    }

    /// True if the key that was read last is `key`, byte by byte.
    public func hasKey(_ key: StaticString) -> Bool {
        guard Int(keyToken.size) == key.utf8CodeUnitCount else { return false }
        return state.text(of: keyToken).matches(RawInput(key), at: 0)
    }

    /// The key that was read last.
    public var key: String { state.text(of: keyToken).string }

    /// Reads a null if there is one, which is true, and else leaves the value where it is.
    public mutating func readNull() throws -> Bool {
        end = state.skipSpace(input, end)
        guard input[end] == UInt8(ascii: "n") else { return false }
        do throws(JSONFault) { (_, end) = try state.scanWord(input, end) } catch { throw error.error }
        return true
    }

    /// Leaves one value behind, which is checked all the same.
    public mutating func skip() throws {
        state.tape.removeAll()
        do throws(JSONFault) { end = try state.scanValue(input, end, depth: depth) } catch { throw error.error }
    }

    /// The value, or the error of an object that has no member `key`.
    @inlinable
    public func required<Value>(_ value: Value?, _ key: StaticString) throws -> Value {
        guard let value else { throw missing(key) }
        return value
    }

    /// The error of an object, just read, that has no member `key`.
    @usableFromInline
    @inline(never)
    func missing(_ key: StaticString) -> any Error {
        JSONFault(message: "no member \"\(key)\" in the object that ends", offset: end).error
    }

    private mutating func begin(_ bracket: UInt8, _ expected: StaticString) throws {
        end = state.skipSpace(input, end)
        guard input[end] == bracket else { throw wrongType(expected) }
        guard depth < DecodingState.maximumDepth else { throw state.tooDeep(end).error }
        depth &+= 1
        end &+= 1
        isFresh = true
    }

    /// Goes over a comma and white space to the next part of a container, or over the bracket that ends it.
    @inline(__always)
    private mutating func next(_ bracket: UInt8, _ place: StaticString) throws(JSONFault) -> Bool {
        end = state.skipSpace(input, end)
        let byte = input[end]
        if byte == bracket, depth > 0 {
            depth &-= 1
            end &+= 1
            isFresh = false
            return false
        }
        if isFresh {
            isFresh = false
            return true
        }
        guard byte == UInt8(ascii: ",") else { throw state.unexpected(input, end, "\(place)") }
        end = state.skipSpace(input, end &+ 1)
        if input[end] == bracket { throw state.unexpected(input, end, "after a comma") }
        return true
    }
}
