import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The pictures of the operators' pages are what a run gives now.
///
/// `Docs/Pictures/draw` draws them anew.
@Suite struct PictureTests {
    /// The folder of the pictures.
    static let folder =
        #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/Sources/Tributary/Tributary.docc"

    @Test(arguments: Picture.all) func `a picture is what a run gives`(picture: Picture) throws {
        let drawn = try PictureSVG.draw(picture)
        let path = "\(Self.folder)/Resources/\(picture.name).svg"
        if getenv("TRIBUTARY_DRAW") != nil { try Self.write(drawn, path) }
        #expect(Self.read(path) == drawn, "\(picture.name).svg is not what a run gives: look, then Docs/Pictures/draw")
    }

    @Test func `each picture is on a page`() {
        let pages = [
            "StreamOperators", "Repartitioning", "Aggregations", "Windows", "StreamJoins", "TableJoins", "Tables",
            "Suppression", "Processors",
        ]
        .compactMap { Self.read("\(Self.folder)/\($0).md") }.joined()
        for picture in Picture.all { #expect(pages.contains("](\(picture.name).svg)"), "\(picture.name)") }
    }

    private static func read(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func write(_ text: String, _ path: String) throws {
        let file = try #require(fopen(path, "w"))
        defer { fclose(file) }
        let bytes = Array(text.utf8)
        try #require(fwrite(bytes, 1, bytes.count, file) == bytes.count)
    }
}
