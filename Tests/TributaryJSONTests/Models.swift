import Foundation

struct Account: Codable, Equatable {
    var id: Int64
    var owner: String
    var balance: Double
}

enum Shape: Codable, Equatable {
    case circle(radius: Double)
    case rectangle(width: Int, height: Int)
    case nothing
    case pair(Int, String)
}

enum Colour: String, Codable { case red, green }

struct Wide: Codable, Equatable {
    var a: Int8
    var b: Int16
    var c: Int32
    var d: UInt8
    var e: UInt16
    var f: UInt32
    var g: UInt64
    var h: UInt
    var i: Int
    var j: Float
    var k: Bool
    var l: Int128
    var m: UInt128
}

struct Nested: Codable, Equatable {
    struct Inner: Codable, Equatable {
        var names: [String]
        var scores: [String: Double]
        var numbered: [Int: String]
        var shape: Shape
        var colour: Colour?
    }
    var inner: Inner
    var list: [Inner]
    var grid: [[Int]]
    var maybe: Int?
    var holes: [Int?]
}

struct Special: Codable, Equatable {
    var date: Date
    var data: Data
    var url: URL
    var decimal: Decimal
    var uuid: UUID
}

struct Camel: Codable, Equatable {
    var firstName: String
    var myURLProperty: Int
    var _private: Int?
    var nestedThing: [String: Int]
}

class Animal: Codable {
    var name: String
    init(name: String) { self.name = name }
}

final class Dog: Animal, Equatable {
    var age: Int
    enum CodingKeys: CodingKey { case age }
    init(name: String, age: Int) {
        self.age = age
        super.init(name: name)
    }
    required init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        age = try container.decode(Int.self, forKey: .age)
        try super.init(from: container.superDecoder())
    }
    override func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(age, forKey: .age)
        try super.encode(to: container.superEncoder())
    }
    static func == (one: Dog, other: Dog) -> Bool { one.name == other.name && one.age == other.age }
}

/// Fills two nested containers in turn, and one key twice.
struct Interleaved: Codable, Equatable {
    enum Keys: CodingKey { case first, second, twice, list }
    init() {}
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Keys.self)
        let first = try container.nestedContainer(keyedBy: Keys.self, forKey: .first)
        var list = try container.nestedUnkeyedContainer(forKey: .list)
        _ = try first.decode(Int.self, forKey: .second)
        while !list.isAtEnd { _ = try list.nestedUnkeyedContainer() }
        _ = try list.decodeNil()
    }
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        var first = container.nestedContainer(keyedBy: Keys.self, forKey: .first)
        var list = container.nestedUnkeyedContainer(forKey: .list)
        try container.encode(1, forKey: .twice)
        try first.encode(1, forKey: .first)
        try list.encode("a")
        try first.encode(2, forKey: .second)
        var inner = list.nestedUnkeyedContainer()
        try list.encode("b")
        try inner.encode(1.5)
        var again = container.nestedContainer(keyedBy: Keys.self, forKey: .first)
        try again.encode("again", forKey: .list)
        try container.encode("last wins", forKey: .twice)
        try first.encode(3, forKey: .second)
        _ = container.superEncoder(forKey: .second)
    }
}

struct Empty: Codable, Equatable {}
struct Mute: Encodable { func encode(to encoder: any Encoder) {} }
