import Testing
import TributaryCore

@testable import TributaryLMDB

@Suite struct DirtyPartTests {
    @Test func `a batch stays if one of its records is the newest of its key, wherever that is`() {
        // Batches that begin and end inside and at the edges of words of 64 bits, and one that is a whole word.
        let bounds: [Int64] = [0, 1, 63, 64, 128, 150, 193, 200]
        for place: Int64 in 0..<200 {
            var part = DirtyPart(from: 0, memory: 0)
            for (base, end) in zip(bounds, bounds.dropFirst()) {
                part.batches.append(DirtyPart.Batch(base: base, end: end, byteCount: 1))
            }
            let key: [UInt8] = [1]
            part.keys.note(unsafe key.span.bytes, place)
            part.finish(200)
            for batch in part.batches {
                let stays = part.holdsAny(batch)
                #expect(stays == (batch.base..<batch.end).contains(place), "\(place) in \(batch)")
            }
        }
    }
}
