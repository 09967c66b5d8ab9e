extension Serde {
    /// Several values of one type: a byte 1, how many (4 bytes), each behind its length (4 bytes; -1 for null), as Kafka's `ListSerde` writes values of
    /// different sizes.
    public static func array<Element>(of element: Serde<Element>) -> Serde<[Element]> where Value == [Element] {
        Serde(
            name: "array(\(element.name))", problem: element.problem,
            decode: { bytes in
                var reader = ByteReader(bytes)
                let strategy = try reader.byte()
                let count = try reader.integer(Int32.self)
                guard strategy == 1, count >= 0, Int(count) <= reader.remaining / 4 else {
                    throw SerdeError(.malformed, serde: "array", "no list of values of different sizes")
                }
                var values: [Element] = []
                values.reserveCapacity(Int(count))
                for _ in 0..<count {
                    let size = try reader.integer(Int32.self)
                    if size == -1, let nulls = element.nullability {
                        values.append(nulls.null())
                    } else {
                        values.append(try element.decode(try reader.span(Int(size))))
                    }
                }
                guard reader.remaining == 0 else {
                    throw SerdeError(.malformed, serde: "array", "more bytes than values")
                }
                return values
            },
            encode: { values, writer in
                writer.append(1 as UInt8)
                writer.append(bigEndian: Int32(values.count))
                for value in values {
                    if let nulls = element.nullability, nulls.isNull(value) {
                        writer.append(bigEndian: -1 as Int32)
                        continue
                    }
                    let place = writer.appendZeros(4)
                    try element.encode(value, &writer)
                    writer.overwrite(at: place, bigEndian: Int32(writer.count - place - 4))
                }
            })
    }
}
