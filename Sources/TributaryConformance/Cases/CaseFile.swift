/// Files with cases.
public struct CaseFile: Sendable {
    /// Makes the text of a gzip file of its bytes; nil if nobody can.
    public var gunzip: (@Sendable ([UInt8]) throws -> [UInt8])?

    /// A reader of `.json` and `.jsonl` files, and of `.jsonl.gz` if it is given something that unpacks.
    public init(gunzip: (@Sendable ([UInt8]) throws -> [UInt8])? = nil) { self.gunzip = gunzip }

    /// The cases of a file, or of all files in a folder and its folders, by name.
    public func cases(at path: String) throws(CaseError) -> [ConformanceCase] {
        guard FileSystem.isFolder(path) else { return try casesOfFile(path) }
        var cases: [ConformanceCase] = []
        for name in try inFile(path, { () throws(CaseError) in try FileSystem.entries(path) }) {
            let entry = path.hasSuffix("/") ? path + name : path + "/" + name
            if FileSystem.isFolder(entry) || Self.endings.contains(where: { name.hasSuffix($0) }) {
                cases += try self.cases(at: entry)
            }
        }
        return cases
    }

    private static let endings = [".json", ".jsonl", ".jsonl.gz"]

    private func casesOfFile(_ path: String) throws(CaseError) -> [ConformanceCase] {
        try inFile(path) { () throws(CaseError) in
            let bytes = try FileSystem.read(path)
            if path.hasSuffix(".json") { return [try Self.parse(bytes)] }
            if path.hasSuffix(".jsonl") { return try lines(bytes) }
            guard path.hasSuffix(".jsonl.gz") else {
                throw CaseError("a file with cases ends in .json, .jsonl or .jsonl.gz")
            }
            guard let gunzip else { throw CaseError("this program can't unpack gzip files; unpack it first") }
            let text: [UInt8]
            do { text = try gunzip(bytes) } catch { throw CaseError("not unpacked: \(error)") }
            return try lines(text)
        }
    }

    private func lines(_ bytes: [UInt8]) throws(CaseError) -> [ConformanceCase] {
        var cases: [ConformanceCase] = []
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where line.contains(where: { $0 > 0x20 }) {
            do throws(CaseError) {
                cases.append(try Self.parse(Array(line)))
            } catch {
                var error = error
                if error.caseID == nil { error.caseID = "in line \(index + 1)" }
                throw error
            }
        }
        return cases
    }

    private static func parse(_ bytes: [UInt8]) throws(CaseError) -> ConformanceCase {
        let json: JSONValue
        do throws(JSONError) { json = try JSONValue(parsing: bytes) } catch { throw CaseError(error.description) }
        return try ConformanceCase(json: json)
    }

    private func inFile<Result>(_ path: String, _ body: () throws(CaseError) -> Result) throws(CaseError) -> Result {
        do throws(CaseError) {
            return try body()
        } catch {
            var error = error
            if error.file == nil { error.file = path }
            throw error
        }
    }
}
