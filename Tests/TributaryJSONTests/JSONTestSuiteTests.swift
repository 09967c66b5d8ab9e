import Foundation
import Testing
import TributaryJSON

/// The vectors of https://github.com/nst/JSONTestSuite (1ef36fa, MIT licence, beside them).
@Suite struct JSONTestSuiteTests {
    struct Vector: CustomTestStringConvertible, Sendable {
        let name: String
        let bytes: [UInt8]
        var testDescription: String { name }
        func isAccepted(_ decoder: FastJSONDecoder) -> Bool {
            (try? decoder.decode(AnyJSON.self, from: bytes)) != nil
        }
    }

    static let vectors: [Vector] = {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "JSONTestSuite/test_parsing")
        let files = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        return files.compactMap { file in
            // Foundation leaks when it reads an empty file.
            if file.lastPathComponent == "n_structure_no_data.json" {
                return Vector(name: file.lastPathComponent, bytes: [])
            }
            return (try? Data(contentsOf: file)).map { Vector(name: file.lastPathComponent, bytes: [UInt8]($0)) }
        }.sorted { $0.name < $1.name }
    }()

    @Test func `all vectors are there`() { #expect(Self.vectors.count == 318) }

    @Test func `what must be accepted is accepted`() {
        let decoder = FastJSONDecoder()
        for vector in Self.vectors where vector.name.hasPrefix("y_") {
            #expect(vector.isAccepted(decoder), "\(vector.name)")
            let theirs = try? JSONDecoder().decode(AnyJSON.self, from: Data(vector.bytes))
            if theirs != nil || !Divergence.zeroWithExponent.explains(vector.bytes) {
                #expect(theirs == (try? decoder.decode(AnyJSON.self, from: vector.bytes)), "\(vector.name)")
            }
        }
    }

    @Test func `what must be refused is refused`() {
        let decoder = FastJSONDecoder()
        for vector in Self.vectors where vector.name.hasPrefix("n_") {
            #expect(!vector.isAccepted(decoder), "\(vector.name)")
            // A conformance written by hand is as strict.
            #expect(throws: DecodingError.self, "\(vector.name)") { try decoder.read(Skipped.self, from: vector.bytes) }
        }
    }

    @Test func `where the standard leaves it open, Foundation decides`() {
        let decoder = FastJSONDecoder()
        for vector in Self.vectors where vector.name.hasPrefix("i_") {
            let isTheirs = (try? JSONDecoder().decode(AnyJSON.self, from: Data(vector.bytes))) != nil
            let isNamed = Divergence.allCases.contains { $0.explains(vector.bytes) }
            #expect(vector.isAccepted(decoder) == isTheirs || isNamed, "\(vector.name): Foundation says \(isTheirs)")
        }
    }
}
