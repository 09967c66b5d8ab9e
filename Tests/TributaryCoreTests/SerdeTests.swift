import Testing
import TributaryCore

@Suite struct SerdeTests {
    @Test func `numbers are big-endian, as in Kafka's Serdes`() throws {
        #expect(try Serde<Int64>.int64.bytes(-2) == [255, 255, 255, 255, 255, 255, 255, 254])
        #expect(try Serde<Int32>.int32.bytes(258) == [0, 0, 1, 2])
        #expect(try Serde<Int16>.int16.bytes(-2) == [255, 254])
        #expect(try Serde<Int>.int.bytes(258) == [0, 0, 0, 0, 0, 0, 1, 2])
        #expect(try Serde<Float>.float.bytes(1) == [0x3f, 0x80, 0, 0])
        #expect(try Serde<Substring>.substring.bytes("ü") == [0xc3, 0xbc])
        #expect(try Serde<Double>.double.bytes(1) == [0x3f, 0xf0, 0, 0, 0, 0, 0, 0])
        #expect(try Serde<Bool>.bool.bytes(true) == [1])
        #expect(try Serde<String>.string.bytes("aü") == [0x61, 0xc3, 0xbc])
        #expect(try Serde<[UInt8]>.bytes.bytes([]) == [])
        #expect(try Serde<Void>.void.bytes(()) == [])
    }

    private func expectRound<Value: Equatable>(_ serde: Serde<Value>, _ values: [Value]) throws {
        for value in values {
            let bytes = try #require(try serde.bytes(value))
            #expect(try serde.value(bytes) == value)
            try serde.validate?(bytes.span.bytes)
            switch serde.size {
            case .fixed(let count): #expect(count == bytes.count)
            case .computed(let count): #expect(count(value) == bytes.count)
            case .unknown: break
            }
        }
    }

    @Test func `values come back, and sizes are told before`() throws {
        try expectRound(.int64, [0, 1, -1, .min, .max])
        try expectRound(.int32, [0, .min, .max])
        try expectRound(.int16, [0, .min, .max])
        try expectRound(.int, [0, .min, .max])
        try expectRound(.float, [0, -0.5, .infinity, .leastNonzeroMagnitude])
        try expectRound(.substring, ["", "a", "ü😀"])
        try expectRound(.double, [0, -0.5, .infinity, .leastNonzeroMagnitude])
        try expectRound(.bool, [true, false])
        try expectRound(.string, ["", "a", "ü😀", String(repeating: "x", count: 1_000)])
        try expectRound(.bytes, [[], [0, 255]])
        try expectRound(Serde<String>.string.optional, ["", "a"])
    }

    private func code<Value>(_ serde: Serde<Value>, _ bytes: [UInt8]?) -> SerdeError.Code? {
        do {
            _ = try serde.value(bytes)
            return nil
        } catch {
            return (error as? SerdeError)?.code
        }
    }

    @Test func `bytes of the wrong length or not UTF-8 are refused`() throws {
        #expect(code(.int64, [1, 2, 3]) == .malformed)
        #expect(code(.int64, []) == .malformed)
        #expect(code(.int32, [UInt8](repeating: 0, count: 8)) == .malformed)
        #expect(code(.double, [1]) == .malformed)
        #expect(code(.int16, [1]) == .malformed)
        #expect(code(.int, [1, 2, 3, 4]) == .malformed)
        #expect(code(.float, [1]) == .malformed)
        #expect(code(.substring, [0xff]) == .malformed)
        #expect(code(.bool, [2]) == .malformed)
        #expect(code(.bool, []) == .malformed)
        #expect(code(.string, [0xff]) == .malformed)
        #expect(code(Serde<String>.string.optional, [0xff]) == .malformed)
        let refused: [UInt8] = [0xed, 0xa0, 0x80]
        #expect(throws: SerdeError.self) { try Serde<String>.string.validate?(refused.span.bytes) }
    }

    @Test func `null is an error unless the type has one`() throws {
        #expect(code(.string, nil) == .unexpectedNull)
        #expect(code(.int64, nil) == .unexpectedNull)
        let optional = Serde<String>.string.optional
        #expect(try optional.value(nil) == .some(nil))
        #expect(try optional.bytes(nil) == nil)
        #expect(try optional.bytes("") == [])
        #expect(optional.name == "string?")
    }
}

@Suite struct RecordableTests {
    private struct Unnamed {}

    @Test func `standard types name their serdes`() {
        #expect(Serde<String>.standard?.name == "string")
        #expect(Serde<Substring>.standard?.name == "string")
        #expect(Serde<[UInt8]>.standard?.name == "bytes")
        #expect(Serde<Bool>.standard?.name == "bool")
        #expect(Serde<Int16>.standard?.name == "int16")
        #expect(Serde<Int32>.standard?.name == "int32")
        #expect(Serde<Int64>.standard?.name == "int64")
        #expect(Serde<Int>.standard?.name == "int64")
        #expect(Serde<Float>.standard?.name == "float")
        #expect(Serde<Double>.standard?.name == "double")
        #expect(Serde<Int64?>.standard?.name == "int64?")
    }

    @Test func `other types name none`() {
        #expect(Serde<Unnamed>.standard == nil)
        #expect(Serde<[Int64]>.standard == nil)
        #expect(Serde<Unnamed?>.standard == nil)
    }

    @Test func `an optional serde is found behind a dot`() throws {
        let text: Serde<String?> = .optional(.string)
        #expect(try text.bytes("a") == [0x61])
        let number: Serde<Int32?> = .optional(.int32)
        #expect(try number.bytes(nil) == nil)
    }
}

@Suite struct NullabilityTests {
    private enum Word: NullableValue, Equatable {
        case missing
        case present(Int)
        static var nullValue: Word { .missing }
        var isNullValue: Bool { self == .missing }
    }

    @Test func `optionals have a null, plain types have none`() {
        #expect(Nullability<Int>.of() == nil)
        #expect(Nullability<String>.of() == nil)
        let optional = Nullability<Int?>.of()
        #expect(optional?.isNull(nil) == true && optional?.isNull(0) == false)
        #expect(optional?.null() == .some(nil))
    }

    @Test func `the outer optional is the one that counts`() {
        let nested = Nullability<Int??>.of()
        #expect(nested?.isNull(nil) == true)
        #expect(nested?.isNull(.some(nil)) == false)
    }

    @Test func `a type can have a null of its own`() throws {
        let nullability = Nullability<Word>.of()
        #expect(nullability?.null() == .missing)
        #expect(nullability?.isNull(.missing) == true && nullability?.isNull(.present(1)) == false)
        let serde = Serde<Word>(
            name: "word", decode: { bytes in .present(bytes.byteCount) },
            encode: { _, writer in writer.append(1) })
        #expect(try serde.bytes(.missing) == nil)
        #expect(try serde.value(nil) == .missing)
        #expect(try serde.value([1, 1]) == .present(2))
    }
}
