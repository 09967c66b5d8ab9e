import TestSupport
import Testing
import TributaryCore

@Suite struct Murmur2Tests {
    /// A key, its hash, and its partition of 1, 2, 3, 7, 12 and 50.
    private struct Vector {
        var key: [UInt8]
        var hash: Int32
        var partitions: [Int32]
    }

    private static let counts: [Int32] = [1, 2, 3, 7, 12, 50]

    /// What Java's producer computed, one JSON list a line: `["key in hex",hash,[partitions]]`.
    private static func vectors() throws -> [Vector] {
        var path = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(separator: "/")
        path += "/TributaryCoreTests/murmur2-vectors.json"
        var vectors: [Vector] = []
        for line in String(decoding: try contents(path), as: UTF8.self).split(separator: "\n")
        where line.hasPrefix("  [\"") {
            let fields = line.split(separator: ",").map { field in field.filter { !"[]\" \t".contains($0) } }
            let numbers = fields.dropFirst().compactMap { Int32($0) }
            guard let key = [UInt8](hexadecimal: fields[0]), numbers.count == 7 else { continue }
            vectors.append(Vector(key: key, hash: numbers[0], partitions: Array(numbers[1...])))
        }
        return vectors
    }

    @Test func `an empty key hashes as Java's producer hashes it`() {
        let hash = murmur2(RawSpan())
        #expect(hash == 275_646_681)
    }

    @Test func `keys of every length hash and are partitioned as Java's producer does it`() throws {
        let vectors = try Self.vectors()
        #expect(vectors.count == 300)
        for vector in vectors {
            let hash = murmur2(vector.key.span.bytes)
            #expect(hash == vector.hash)
            let partitions = Self.counts.map { partition(forKey: vector.key.span.bytes, count: $0) }
            #expect(partitions == vector.partitions)
        }
    }
}
