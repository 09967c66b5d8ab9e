internal import TributaryTelemetry

extension CaseFile {
    /// A reader that unpacks `.jsonl.gz`, too.
    public static var unpacking: CaseFile { CaseFile { try Gzip.decompress($0) } }
}
