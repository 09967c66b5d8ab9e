import Testing
import TributaryCore

@Suite struct MemoryTests {
    @Test func `a list keeps its elements while it grows`() {
        var list = FlatList<UInt64>(capacity: 1)
        // Beyond the size from which the system moves pages instead of copying.
        for number in 0..<UInt64(2_000_000) { list.append(number &* 3) }
        let count = list.count
        var wrong = 0
        for index in 0..<count where list[index] != UInt64(index) &* 3 { wrong += 1 }
        #expect(count == 2_000_000 && wrong == 0)
        list.truncate(to: 5)
        list.append(7)
        let (last, left) = (list[5], list.count)
        #expect(last == 7 && left == 6)
    }

    @Test func `blobs keep their bytes and are used again`() {
        let pool = BlobPool()
        var random = FastRandom(seed: 1)
        var held: [(blob: Blob, bytes: [UInt8])] = []
        var most = 0
        for step in 0..<20_000 {
            if random.next() % 5 < 2, !held.isEmpty {
                let (blob, bytes) = held.remove(at: Int(random.next() % UInt64(held.count)))
                let kept = [UInt8](copying: pool.bytes(of: blob, at: 0, count: bytes.count))
                #expect(kept == bytes, "step \(step)")
                pool.deallocate(blob)
            } else {
                let size = Int(random.next() % (step % 100 == 0 ? 200_000 : 3_000))
                let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: step), count: size)
                let blob = pool.allocate(size)
                #expect(pool.capacity(of: blob) >= size)
                pool.write(bytes.span.bytes, to: blob, at: 0)
                held.append((blob, bytes))
            }
            most = max(most, held.count)
        }
        #expect(most > 1_000)
        for (blob, bytes) in held {
            let kept = [UInt8](copying: pool.bytes(of: blob, at: 0, count: bytes.count))
            #expect(kept == bytes)
        }
    }

    @Test(arguments: [0, 1, 7, 8, 9, 15, 16, 31, 32, 33, 64, 100])
    func `a byte above 127 anywhere is not ASCII`(count: Int) {
        var bytes = [UInt8](repeating: 127, count: count)
        var isASCII = bytes.span.bytes.isASCII
        #expect(isASCII)
        for place in 0..<count {
            bytes[place] = 128
            isASCII = bytes.span.bytes.isASCII
            #expect(!isASCII)
            bytes[place] = 0
        }
    }
}
