import Testing
import TributaryCore

@Suite struct Murmur2Tests {
    @Test func `an empty key hashes as Java's producer hashes it`() {
        #expect(murmur2(RawSpan()) == 275_646_681)
    }
}
