import Testing
import TributaryCore

/// The hash of rows in joins by foreign key, against values of Kafka Streams' own and of the reference implementation.
@Suite struct Murmur3Tests {
    @Test(
        arguments: [
            ("x1", 0x2d2b_71d4_c107_1ff0, 0xb874_051f_94fb_158a),
            ("y1", 0x8876_f372_1866_cb24, 0x44d8_b0d6_bceb_e5b2),
        ] as [(String, UInt64, UInt64)])
    func `rows hash as Kafka Streams hashes them`(text: String, high: UInt64, low: UInt64) {
        let hash = murmur3(Array(text.utf8).span.bytes)
        #expect(hash.high == high && hash.low == low)
    }

    @Test func `none, whole blocks and a rest are hashed`() {
        let none: [UInt8] = []
        let many = (0..<40).map { UInt8($0) }
        #expect(murmur3(none.span.bytes) == (0x9d27_64a0_18e3_2942, 0x8c3c_f3b0_3593_8518))
        #expect(murmur3(many.span.bytes) == (0x13d1_5ff2_58e2_0bb5, 0xdfb3_174d_9ddb_598c))
    }
}
