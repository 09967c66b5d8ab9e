import Testing
import TributaryCore
import TributaryTelemetry

/// `{}` on three lines, made by another program.
let gzipped = [UInt8](hexadecimal: "1f8b0800000000000203abaee5aa062300a5c2202a09000000") ?? []

@Suite struct GzipTests {
    let text = Array("{}\n{}\n{}\n".utf8)

    @Test func `gzip is read, several members too`() throws {
        #expect(try Gzip.decompress(gzipped) == text)
        #expect(try Gzip.decompress(gzipped + gzipped) == text + text)
    }

    @Test func `a bound is kept`() {
        #expect(throws: GzipError.tooLarge(limit: 8)) { try Gzip.decompress(gzipped, limit: 8) }
        #expect(throws: Never.self) { try Gzip.decompress(gzipped, limit: 9) }
    }

    @Test func `cut and damaged bytes are refused or read, never a crash`() {
        for count in 0..<gzipped.count {
            #expect(throws: GzipError.self) { try Gzip.decompress(Array(gzipped.prefix(count))) }
        }
        for bit in 0..<(gzipped.count * 8) {
            var wrong = gzipped
            wrong[bit / 8] ^= 1 << UInt8(bit % 8)
            _ = try? Gzip.decompress(wrong)
        }
        #expect(throws: GzipError.malformed) { try Gzip.decompress(text) }
    }

    @Test func `output of many chunks comes whole`() throws {
        let zeros = try #require([UInt8](hexadecimal: largeGzip))
        let bytes = try Gzip.decompress(zeros)
        #expect(bytes.count == 400_000 && bytes.allSatisfy { $0 == 0 })
    }
}

/// 400,000 zero bytes.
private let largeGzip =
    "1f8b0800000000000203edc13101000000c2a0f54f6d0a3fa000000000000000000000000000000000000000000000000000"
    + "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    + "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    + "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    + "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    + "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    + "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    + "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    + "000000000000000000000000e06f713d595e801a0600"
